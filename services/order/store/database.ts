import { setTimeout as delay } from 'node:timers/promises'
import { callerSchemas } from '@orderly/callers'
import {
  createPool,
  orUnavailable,
  PostgresError,
  requireSchema,
  runStatement,
  type Statement,
  StoreUnavailableError
} from '@orderly/postgres'
import type { ServiceContext } from '@orderly/service-kit'
import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import type { OrderConfig } from '../config.ts'
import { orderSchema, orderSessionSettings } from './schema.ts'

/** Runs a prepared statement. @throws StoreUnavailableError while the database is unavailable */
export type RunStatement = <Row extends QueryResultRow = QueryResultRow>(
  statement: Statement
) => Promise<QueryResult<Row>>

/**
 * The database of this service, which may be unavailable: orders without a key do not need it.
 * States: **opening** (checks the schemas and retries while the database is unavailable) →
 * **open**. In the open state each statement reports an outage itself.
 */
export interface Database {
  readonly pool: Pool
  /** Throws StoreUnavailableError in the state opening, too. */
  readonly run: RunStatement
  /**
   * Resolves in the state open. Rejects if the service stops first or its schemas are incompatible.
   */
  readonly opened: Promise<void>
  /** Resolves in the state open, at the latest after `patienceMs`. Rejects like `opened`. */
  openedSoon(): Promise<void>
  isOpen(): boolean
}

const longestPauseMs = 5_000
const patienceMs = 2_000

/** Opens the database in the background. */
export function openDatabase({ config, logger, signal, onStop }: ServiceContext<OrderConfig>): Database {
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: config.DATABASE_MAX_CONNECTIONS,
    applicationName: `order-${config.INSTANCE_ID}`,
    statementTimeoutMs: 3_000,
    connectTimeoutMs: 2_000,
    sessionSettings: orderSessionSettings,
    onIdleError: error => logger.warn({ event: 'database_connection_lost', error }, 'idle database connection lost')
  })
  onStop('database', () => pool.end())
  const schemas = [orderSchema, ...callerSchemas(config)]
  const mayMigrate = config.ORDERLY_PROFILE === 'dev'
  const run = runOn(pool)
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
    pool,
    opened,
    openedSoon: () => Promise.race([opened, delay(patienceMs, undefined, { signal, ref: false })]),
    isOpen: () => isOpen,
    async run(statement) {
      if (!isOpen) throw new StoreUnavailableError('the database is not open yet')
      return run(statement)
    }
  }
}

/** Returns a function that runs statements on this pool or connection. */
export function runOn(on: Pool | PoolClient): RunStatement {
  return statement => orUnavailable(runStatement(on, statement))
}
