import pg, { type Pool } from 'pg'

export interface PoolSettings {
  /** postgres://user:password@host:port/database; `sslmode` and the like as pg-connection-string reads them. */
  readonly url: string
  readonly maxConnections: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** The server cancels a statement after this; waiting for a row lock counts. */
  readonly statementTimeoutMs: number
  /** The server ends a session that holds a transaction open for this long without a statement. */
  readonly idleInTransactionTimeoutMs?: number
  readonly connectTimeoutMs?: number
  /** Further settings of the server for each session, such as `enable_seqscan`. `options` in the URL replace them. */
  readonly sessionSettings?: Readonly<Record<string, string>>
  /** Told of connections that broke while nobody used them; the pool replaces them by itself. */
  readonly onIdleError?: (error: Error) => void
}

/**
 * A pool whose every wait is bounded. bigint columns come as numbers and throw where a number cannot hold them exactly.
 *
 * A process that was stopped (SIGSTOP, a frozen virtual machine) in the middle of a transaction keeps its row locks;
 * `idleInTransactionTimeoutMs` is how long the others wait for it at most.
 */
export function createPool(settings: PoolSettings): Pool {
  const {
    statementTimeoutMs,
    idleInTransactionTimeoutMs = 5000,
    connectTimeoutMs = 5000,
    sessionSettings = {}
  } = settings
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.maxConnections,
    application_name: settings.applicationName,
    statement_timeout: statementTimeoutMs,
    // The server cannot time out anything while it is itself stopped or cut off: then the client gives up, a little later.
    query_timeout: statementTimeoutMs + 2000,
    idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    connectionTimeoutMillis: connectTimeoutMs,
    options: Object.entries(sessionSettings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    keepAlive: true,
    pipeline: true,
    types: { getTypeParser }
  })
  pool.on('error', error => settings.onIdleError?.(error))
  // pg-pool listens only while a client is idle; a connection that breaks while checked out would end the process.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/** Resolves when the database answers. */
export async function checkDatabase(pool: Pool): Promise<void> {
  await pool.query('SELECT 1')
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
