import pg, { type Pool } from 'pg'
import { checkAddress } from './address.ts'
import { checkPooling } from './pooling.ts'
import { openSession } from './session.ts'

export interface PoolSettings {
  /** postgres://user:password@host:port/database; `sslmode` and the like as pg-connection-string reads them. One host only. */
  readonly url: string
  readonly maxConnections: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** The server cancels a statement after this; waiting for a row lock counts. */
  readonly statementTimeoutMs: number
  /** The server ends a session that holds a transaction open for this long without a statement. */
  readonly idleInTransactionTimeoutMs?: number
  readonly connectTimeoutMs?: number
  /** Further settings of the server for each session, such as `enable_seqscan`. They replace `options` in the URL. */
  readonly sessionSettings?: Readonly<Record<string, string>>
  /** Called for connections that broke while idle; the pool replaces them. */
  readonly onIdleError?: (error: Error) => void
}

/**
 * Creates a pool whose every wait is bounded and whose every session is verified (see session.ts). bigint columns are returned as
 * numbers and throw where a number cannot hold them exactly. Times are read and written in UTC.
 *
 * A process that was stopped (SIGSTOP, a frozen virtual machine) in the middle of a transaction keeps its row locks;
 * `idleInTransactionTimeoutMs` is how long the others wait for it at most.
 *
 * @throws PostgresError with the code `ADDRESS_INVALID`
 */
export function createPool(settings: PoolSettings): Pool {
  const {
    statementTimeoutMs,
    idleInTransactionTimeoutMs = 5000,
    connectTimeoutMs = 5000,
    sessionSettings = {}
  } = settings
  checkAddress(settings.url)
  const sessionOf = {
    statement_timeout: String(statementTimeoutMs),
    idle_in_transaction_session_timeout: String(idleInTransactionTimeoutMs),
    DateStyle: 'ISO, MDY',
    TimeZone: 'UTC',
    ...sessionSettings
  }
  const connection = {
    connectionString: settings.url,
    application_name: settings.applicationName,
    // The server cannot time out anything while it is itself stopped or cut off: then the client gives up, a little later.
    query_timeout: statementTimeoutMs + 2000,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    pipeline: true,
    types: { getTypeParser }
  }
  /** The check of the pooler, which runs once where there is one. */
  let pooling: Promise<void> | undefined
  const pool = new pg.Pool({
    ...connection,
    max: settings.maxConnections,
    async onConnect(client) {
      const { isPooled } = await openSession(client, sessionOf)
      if (!isPooled) return
      pooling ??= checkPooling(async () => {
        const other = new pg.Client(connection)
        other.on('error', () => {})
        await other.connect()
        return other
      })
      await pooling.catch(error => {
        pooling = undefined
        throw error
      })
    }
  })
  pool.on('error', (error: Error & { client?: unknown }) => {
    // pg-pool adds the client, which a log would show with its address and its cancel key.
    delete error.client
    settings.onIdleError?.(error)
  })
  // pg-pool listens only while a client is idle; a connection that breaks while checked out would end the process.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/** Resolves when the database answers. */
export async function checkDatabase(pool: Pool): Promise<void> {
  await pool.query('SELECT 1')
}

/**
 * Returns a check that the database can be written. It writes and commits a message to the write-ahead log, which no table holds
 * and which waits for a synchronous standby as every commit does. A write that succeeded counts for `trustMs`; meanwhile
 * the check only looks whether the database answers.
 */
export function createWriteCheck(pool: Pool, trustMs = 5_000): () => Promise<boolean> {
  let writtenAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (performance.now() - writtenAt < trustMs) {
      await checkDatabase(pool)
      return true
    }
    const { rows } = await pool.query(
      `SELECT current_setting('transaction_read_only') = 'off' AS may_write, pg_logical_emit_message(true, 'orderly', '')`
    )
    if (rows[0]?.may_write === true) writtenAt = performance.now()
    return rows[0]?.may_write === true
  }
}

const int8 = pg.types.builtins.INT8

// pg types its parsers by overloads that no single function satisfies.
const getTypeParser = ((oid: number, format?: 'text') =>
  oid === int8 && format !== ('binary' as string)
    ? exactInteger
    : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser

function exactInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a JavaScript number exactly`)
  return value
}
