import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/**
 * Returns true if outcomes must wait for the delivery table instead of becoming dead letters. This
 * holds for every database error except values that Postgres cannot store: a missing privilege or
 * table is not the fault of a record.
 */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error)) return true
  if (isPostgresServerError(error)) return !isPostgresDataError(error)
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
