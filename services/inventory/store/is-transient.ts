import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/**
 * Returns whether the stage retries the batch instead of dead-lettering orders. Besides transient
 * errors, this includes every database error that no order causes, such as a revoked right, a
 * missing table or a wrong password. Operators then see lag and warnings. Otherwise every order
 * would become a dead letter and need a replay.
 */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error)) return true
  if (isPostgresServerError(error)) return !isPostgresDataError(error)
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
