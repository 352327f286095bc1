import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/**
 * Whether outcomes wait for the ledger instead of being parked: for everything but values that Postgres cannot hold. A
 * revoked right or a missing table is nobody's notification's fault.
 */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error)) return true
  if (isPostgresServerError(error)) return !isPostgresDataError(error)
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
