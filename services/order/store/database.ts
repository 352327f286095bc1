import { setTimeout as delay } from 'node:timers/promises'
import {
  type DatabaseSchema,
  type Logger,
  PostgresError,
  requireSchema,
  StoreUnavailableError
} from '@orderly/postgres'
import type { Pool } from 'pg'

/**
 * A database that may be unavailable. States: **opening** (checks the schemas and retries while the
 * database is unavailable) → **open**. In the open state each statement reports an outage itself.
 */
export interface Database {
  /**
   * Resolves in the state open. Rejects if the service stops first or its schemas are incompatible.
   */
  readonly opened: Promise<void>
  isOpen(): boolean
  /** Returns a store whose methods throw StoreUnavailableError in the state opening. */
  guard<Store extends object>(store: Store): Store
}

const longestPauseMs = 5_000

export interface DatabaseOptions {
  readonly schemas: readonly DatabaseSchema[]
  /** True in development: outdated schemas are migrated. */
  readonly mayMigrate: boolean
  readonly logger: Logger
  readonly signal: AbortSignal
}

export function openDatabase(pool: Pool, { schemas, mayMigrate, logger, signal }: DatabaseOptions): Database {
  let isOpen = false

  async function open(): Promise<void> {
    for (let pauseMs = 250; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      signal.throwIfAborted()
      try {
        for (const schema of schemas) await requireSchema(pool, schema, { mayMigrate, logger, signal })
        isOpen = true
        return
      } catch (error) {
        if (error instanceof PostgresError) throw error
        logger.warn(
          { event: 'database_unavailable', error, retryInMs: pauseMs },
          'database unavailable: orders without a key are accepted, order status cannot be read'
        )
        await delay(pauseMs, undefined, { signal })
      }
    }
  }

  const opened = open()
  opened.catch(() => {})
  return {
    opened,
    isOpen: () => isOpen,
    guard: store =>
      Object.fromEntries(
        Object.entries(store).map(([name, method]) => [
          name,
          async (...given: unknown[]) => {
            if (!isOpen) throw new StoreUnavailableError('the database is not open yet')
            return method(...given)
          }
        ])
      ) as typeof store
  }
}
