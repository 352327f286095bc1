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
 * The database as something that may not be there. States: **opening** (checks the schemas, again and again while the database does not
 * answer) → **open**. From then on each statement finds out for itself.
 */
export interface Database {
  /** Resolves when it was opened. Rejects when the service stops before that, and where this program cannot use the database. */
  readonly opened: Promise<void>
  isOpen(): boolean
  /** A store whose every method throws StoreUnavailableError while opening. */
  guard<Store extends object>(store: Store): Store
}

const longestPauseMs = 5_000

export interface DatabaseOptions {
  readonly schemas: readonly DatabaseSchema[]
  /** True in development: schemas that are too old are migrated. */
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
          'no database: orders are accepted, but their status cannot be read'
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
            if (!isOpen) throw new StoreUnavailableError('the database has not been reached yet')
            return method(...given)
          }
        ])
      ) as typeof store
  }
}
