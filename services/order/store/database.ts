import { setTimeout as delay } from 'node:timers/promises'
import { type Logger, migrate, StoreUnavailableError } from '@orderly/postgres'
import type { Pool } from 'pg'
import { orderSchema } from './schema.ts'

/**
 * The database as something that may not be there. States: **opening** (tries to bring the schema up to date, again and again) →
 * **open**. From then on each statement finds out for itself.
 */
export interface Database {
  /** Resolves when it was opened; rejects when it was told to stop before. */
  readonly opened: Promise<void>
  isOpen(): boolean
  /** A store whose every method throws StoreUnavailableError while opening. */
  guard<Store extends object>(store: Store): Store
}

const longestPauseMs = 5_000

export function openDatabase(pool: Pool, { logger, signal }: { logger: Logger; signal: AbortSignal }): Database {
  let isOpen = false

  async function open(): Promise<void> {
    for (let pauseMs = 250; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      signal.throwIfAborted()
      try {
        await migrate(pool, { ...orderSchema, logger })
        isOpen = true
        return
      } catch (error) {
        logger.warn(
          { error, retryInMs: pauseMs },
          'no database: orders are accepted, but their status cannot be asked for'
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
