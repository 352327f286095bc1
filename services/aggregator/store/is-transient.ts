import { isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/**
 * Returns whether the stage retries instead of dead-lettering orders. All database errors are
 * transient: statements contain only numbers, so no order can cause an error.
 */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error) || isPostgresServerError(error)) return true
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
