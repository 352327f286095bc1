import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/**
 * Whether the batch is to be tried again instead of parking orders. Beyond what passes by itself, that is every error of the
 * database for which no order is to blame: a revoked right, a missing table, a wrong password. Orders then wait, and
 * somebody sees lag and warnings; parked, all of them would have to be replayed.
 */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error)) return true
  if (isPostgresServerError(error)) return !isPostgresDataError(error)
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
