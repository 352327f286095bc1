import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, type PoolSettings } from '@orderly/postgres'
import type { Pool } from 'pg'
import { aggregatorSessionSettings } from '../schema.ts'

export interface AggregatorDatabase {
  readonly url: string
  /** Opens a separate pool for an instance, which is closed at the end of the test. */
  open(settings?: Partial<PoolSettings>): Pool
}

export async function createAggregatorDatabase(scope: {
  after(release: () => Promise<void>): void
}): Promise<AggregatorDatabase> {
  const url = await integrationEnvironment().databaseURL()
  const open = (settings: Partial<PoolSettings> = {}) => {
    const pool = createPool({
      url,
      maxConnections: 4,
      applicationName: 'aggregator',
      statementTimeoutMs: 10_000,
      sessionSettings: aggregatorSessionSettings,
      ...settings
    })
    scope.after(() => pool.end())
    return pool
  }
  return { url, open }
}

export async function emptyAggregator(pool: Pool): Promise<void> {
  await pool.query('TRUNCATE aggregator.windows, aggregator.partitions')
}
