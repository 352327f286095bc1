import { isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'

/** Whether orders are to wait instead of being parked. No error of the database is an order's fault: all that reaches it are numbers. */
export function isTransient(error: unknown): boolean {
  if (isTransientPostgresError(error) || isPostgresServerError(error)) return true
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
