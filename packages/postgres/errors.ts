/**
 * Classification of errors of Postgres and of connections to it:
 *
 * - **transient**: a retry of the whole transaction may succeed.
 * - **data**: the values can never be stored; a retry is useless.
 * - everything else (wrong password, missing table, violated CHECK): an operator must investigate;
 *   the values are not the cause.
 */

/** SQLSTATEs of transient errors; PostgreSQL's appendix A has the full list. */
const transientStates = new Map([
  ['08000', 'connection_exception'],
  ['08001', 'sqlclient_unable_to_establish_sqlconnection'],
  ['08003', 'connection_does_not_exist'],
  ['08004', 'sqlserver_rejected_establishment_of_sqlconnection'],
  ['08006', 'connection_failure'],
  ['08007', 'transaction_resolution_unknown'],
  ['08P01', 'protocol_violation (also what PgBouncer reports while it cannot reach the server)'],
  ['25006', 'read_only_sql_transaction (a failover is in progress)'],
  ['25P03', 'idle_in_transaction_session_timeout'],
  ['25P04', 'transaction_timeout'],
  ['26000', 'invalid_sql_statement_name (a prepared statement is gone)'],
  ['40001', 'serialization_failure'],
  ['40003', 'statement_completion_unknown'],
  ['40P01', 'deadlock_detected'],
  ['42P05', 'duplicate_prepared_statement'],
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

/** Messages of transient errors for which pg and pg-pool set no code. */
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

/** EX_CONFIG of sysexits.h: a restart does not help until an operator changes something. */
const configurationExitCode = 78
const configurationCodes = ['ADDRESS_INVALID', 'SCHEMA_OUTDATED', 'SESSION_REFUSED']

/** An error of this package; its `code` is stable. */
export class PostgresError extends Error {
  readonly code:
    | 'ADDRESS_INVALID'
    | 'MIGRATIONS_INVALID'
    | 'MIGRATION_CHANGED'
    | 'MIGRATION_FAILED'
    | 'READ_ONLY'
    | 'SCHEMA_OUTDATED'
    | 'SESSION_REFUSED'
    | 'TRANSACTION_ROLLED_BACK'
  /** Exit code of a process that ends because of this error. */
  readonly exitCode: number
  /**
   * True if no record or request caused the error; a stage then waits until an operator has fixed
   * the database.
   */
  readonly retryable: boolean

  constructor(code: PostgresError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PostgresError'
    this.code = code
    this.exitCode = configurationCodes.includes(code) ? configurationExitCode : 1
    this.retryable = code === 'READ_ONLY' || code === 'SESSION_REFUSED'
  }
}

/**
 * Returns true if a retry of the whole transaction may succeed. Accepts any value; follows `cause`
 * and aggregated errors.
 */
export function isTransientPostgresError(error: unknown): boolean {
  return chain(error).some(
    link =>
      (typeof link.code === 'string' && (transientStates.has(link.code) || transientSystemCodes.has(link.code))) ||
      (typeof link.message === 'string' && transientMessages.has(link.message)) ||
      (link instanceof PostgresError && link.code === 'READ_ONLY') ||
      isStalePlan(link)
  )
}

/**
 * Classes of SQLSTATEs that concern a statement or its values: no data (02), cardinality (21), data
 * (22), constraints (23), conflicts (40), syntax and access (42), views (44), limits (54), locks
 * (55) and exceptions of functions (P0).
 */
const statementClasses = new Set(['02', '21', '22', '23', '40', '42', '44', '54', '55', 'P0'])

/**
 * Returns true if the error concerns the session, or if the state of the session is unknown. The
 * connection must then not be reused: a session that was opened while the database was read-only
 * stays read-only, and a session that lost its prepared statements or plans does not recover them.
 */
export function isSessionError(error: unknown): boolean {
  const states = chain(error).flatMap(link => sqlStateOf(link) ?? [])
  if (states.length === 0) return isTransientPostgresError(error)
  return states.some(state => state === '42P05' || !(statementClasses.has(state.slice(0, 2)) || state === '57014'))
}

/**
 * Detects "cached plan must not change result type", which follows a change of a column's type. It
 * is identified by the reporting routine: its SQLSTATE 0A000 (feature not supported) is too
 * general, and messages are translated.
 */
function isStalePlan(link: ErrorLink): boolean {
  return sqlStateOf(link) === '0A000' && link.routine === 'RevalidateCachedQuery'
}

/**
 * Returns true if Postgres refused the values: class 22 (data exception) or 54 (program limit
 * exceeded).
 */
export function isPostgresDataError(error: unknown): boolean {
  return chain(error).some(link => /^(22|54)[0-9A-Z]{3}$/.test(sqlStateOf(link) ?? ''))
}

/** Returns true if the server reported the error with a SQLSTATE. */
export function isPostgresServerError(error: unknown): boolean {
  return chain(error).some(link => sqlStateOf(link) !== undefined)
}

/**
 * Returns true if a stage must retry a batch instead of dead-lettering its records: for errors that
 * say so (`retryable`), and for every database error that no value causes, such as a revoked right,
 * a missing table or a wrong password. Operators then see lag and warnings. Otherwise every record
 * would become a dead letter and need a replay.
 */
export function isTransientFailure(error: unknown): boolean {
  if (isTransientPostgresError(error)) return true
  if (isPostgresServerError(error)) return !isPostgresDataError(error)
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}

/**
 * Returns true for a conflict with a concurrent transaction. An immediate retry sees the result of
 * that transaction.
 */
export function isPostgresConflict(error: unknown): boolean {
  return chain(error).some(({ code }) => code === '40001' || code === '40P01')
}

/** Returns true if the role lacks a privilege (SQLSTATE 42501). */
export function isPermissionDenied(error: unknown): boolean {
  return chain(error).some(link => sqlStateOf(link) === '42501')
}

/** Returns true if the named unique constraint was violated (SQLSTATE 23505). */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return chain(error).some(link => link.code === '23505' && link.constraint === constraint)
}

interface ErrorLink {
  readonly code?: unknown
  readonly message?: unknown
  readonly constraint?: unknown
  readonly severity?: unknown
  readonly routine?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

// Only server errors have a severity; a system error such as EPIPE also has a code of five letters.
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
