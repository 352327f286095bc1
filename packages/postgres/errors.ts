/**
 * Errors of Postgres and of the way to it, sorted by what to do next.
 *
 * - **transient**: the same work, tried again from the start, may succeed.
 * - **data**: the values that were sent can never be stored; trying again is useless.
 * - everything else (wrong password, missing table, a violated CHECK): somebody has to look, no value is to blame.
 */

/** SQLSTATEs after which the same work may succeed; see PostgreSQL's appendix A for the full list. */
const transientStates = new Map([
  ['08000', 'connection_exception'],
  ['08001', 'sqlclient_unable_to_establish_sqlconnection'],
  ['08003', 'connection_does_not_exist'],
  ['08004', 'sqlserver_rejected_establishment_of_sqlconnection'],
  ['08006', 'connection_failure'],
  ['08007', 'transaction_resolution_unknown'],
  ['25006', 'read_only_sql_transaction (a failover is under way)'],
  ['25P03', 'idle_in_transaction_session_timeout'],
  ['25P04', 'transaction_timeout'],
  ['40001', 'serialization_failure'],
  ['40003', 'statement_completion_unknown'],
  ['40P01', 'deadlock_detected'],
  ['53000', 'insufficient_resources'],
  ['53100', 'disk_full'],
  ['53200', 'out_of_memory'],
  ['53300', 'too_many_connections'],
  ['55P03', 'lock_not_available'],
  ['57014', 'query_canceled (statement_timeout)'],
  ['57P01', 'admin_shutdown'],
  ['57P02', 'crash_shutdown'],
  ['57P03', 'cannot_connect_now'],
  ['57P05', 'idle_session_timeout'],
  ['58000', 'system_error'],
  ['58030', 'io_error']
])

const transientSystemCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT'
])

/** pg and pg-pool give these no code. */
const transientMessages = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired'
])

/** An error of this package; its `code` is stable. */
export class PostgresError extends Error {
  readonly code: 'MIGRATIONS_INVALID' | 'MIGRATION_CHANGED' | 'MIGRATION_FAILED' | 'TRANSACTION_ROLLED_BACK'

  constructor(code: PostgresError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PostgresError'
    this.code = code
  }
}

/** True where trying the whole work again may help. Looks through `cause` and aggregated errors; total for any value. */
export function isTransientPostgresError(error: unknown): boolean {
  return chain(error).some(
    ({ code, message }) =>
      (typeof code === 'string' && (transientStates.has(code) || transientSystemCodes.has(code))) ||
      (typeof message === 'string' && transientMessages.has(message))
  )
}

/** True where Postgres refused the values themselves: class 22 (data exception) or 54 (too long for an index, …). */
export function isPostgresDataError(error: unknown): boolean {
  return chain(error).some(link => /^(22|54)[0-9A-Z]{3}$/.test(sqlStateOf(link) ?? ''))
}

/** True for anything the server answered with a SQLSTATE. */
export function isPostgresServerError(error: unknown): boolean {
  return chain(error).some(link => sqlStateOf(link) !== undefined)
}

/** True where a transaction lost against another one that ran beside it; tried again at once, it finds the other's result. */
export function isPostgresConflict(error: unknown): boolean {
  return chain(error).some(({ code }) => code === '40001' || code === '40P01')
}

/** True where a unique constraint of that name was violated (SQLSTATE 23505). */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return chain(error).some(link => link.code === '23505' && link.constraint === constraint)
}

interface ErrorLink {
  readonly code?: unknown
  readonly message?: unknown
  readonly constraint?: unknown
  readonly severity?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

// The severity tells a server's answer from a system error such as EPIPE, which also has five letters.
function sqlStateOf({ code, severity }: ErrorLink): string | undefined {
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined
}

function chain(error: unknown): ErrorLink[] {
  const links: ErrorLink[] = []
  const waiting = [error]
  for (const next of waiting) {
    if (typeof next !== 'object' || next === null || links.includes(next)) continue
    const link: ErrorLink = next
    links.push(link)
    waiting.push(link.cause, ...(Array.isArray(link.errors) ? link.errors : []))
  }
  return links
}
