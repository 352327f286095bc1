import pg, { type Pool } from 'pg'
import { checkAddress } from './address.ts'
import { checkPooling } from './pooling.ts'
import { openSession } from './session.ts'

export interface PoolSettings {
  /**
   * postgres://user:password@host:port/database with one host. pg-connection-string parses
   * `sslmode` and similar parameters.
   */
  readonly url: string
  readonly maxConnections: number
  /** Application name in pg_stat_activity. */
  readonly applicationName: string
  /** Time after which the server cancels a statement, including waits for row locks. */
  readonly statementTimeoutMs: number
  /** Time after which the server ends a session that is idle in a transaction. */
  readonly idleInTransactionTimeoutMs?: number
  readonly connectTimeoutMs?: number
  /**
   * Further server settings for each session, such as `enable_seqscan`. They override `options` in
   * the URL.
   */
  readonly sessionSettings?: Readonly<Record<string, string>>
  /** Called when an idle connection breaks; the pool replaces it. */
  readonly onIdleError?: (error: Error) => void
}

/**
 * Creates a pool in which every wait is bounded and every session is verified (see session.ts).
 * bigint columns are returned as numbers; a value that a number cannot represent exactly causes a
 * RangeError. Times are read and written in UTC.
 *
 * A process that is frozen (SIGSTOP, a suspended virtual machine) in the middle of a transaction
 * keeps its row locks. `idleInTransactionTimeoutMs` bounds how long others wait for them.
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
    // A frozen or unreachable server cannot cancel statements, so the client times out slightly
    // later.
    query_timeout: statementTimeoutMs + 2000,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    pipeline: true,
    types: { getTypeParser }
  }
  /** Result of the pooler check, which runs once if connections go through a pooler. */
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
    // pg-pool adds the client to the error. A log line would contain its address and its cancel
    // key.
    delete error.client
    settings.onIdleError?.(error)
  })
  // pg-pool listens for errors of idle clients only. Without this listener, a broken checked-out
  // connection would end the process.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/** Resolves when the database answers. */
export async function checkDatabase(pool: Pool): Promise<void> {
  await pool.query('SELECT 1')
}

/**
 * Returns a check that the database accepts writes. It commits a message to the write-ahead log,
 * which changes no table and waits for a synchronous standby like every commit. For `trustMs` after
 * a successful write, the check only verifies that the database answers.
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

// The overloads in pg's types cannot be satisfied by a single function.
const getTypeParser = ((oid: number, format?: 'text') =>
  oid === int8 && format !== ('binary' as string)
    ? exactInteger
    : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser

function exactInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} cannot be represented exactly as a number`)
  return value
}
