import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, type PoolSettings } from '@orderly/postgres'
import type { Pool } from 'pg'
import { deliverySessionSettings } from '../schema.ts'

export interface NotificationDatabase {
  readonly url: string
  /** Opens a separate pool for an instance; it is closed at the end of the test. */
  open(settings?: Partial<PoolSettings>): Pool
}

export async function createNotificationDatabase(scope: {
  after(release: () => Promise<void>): void
}): Promise<NotificationDatabase> {
  const url = await integrationEnvironment().databaseURL()
  const open = (settings: Partial<PoolSettings> = {}) => {
    const pool = createPool({
      url,
      maxConnections: 4,
      applicationName: 'notification',
      statementTimeoutMs: 10_000,
      sessionSettings: deliverySessionSettings,
      ...settings
    })
    scope.after(() => pool.end())
    return pool
  }
  return { url, open }
}

export async function emptyDeliveryStore(pool: Pool): Promise<void> {
  await pool.query('TRUNCATE notification.deliveries, notification.lanes, notification.targets')
}
