import { retry } from '@orderly/retry'
import { isTransientPostgresError } from './errors.ts'

export interface RetryOptions {
  /** The default is `isTransientPostgresError`. */
  readonly isTransient?: (error: unknown) => boolean
  /** Maximum number of attempts, including the first. */
  readonly attempts?: number
  /**
   * Backoff after the first failure. It doubles with each failure up to `maxDelayMs`, with jitter.
   */
  readonly firstDelayMs?: number
  readonly maxDelayMs?: number
  readonly signal?: AbortSignal
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/**
 * Runs `work` until it succeeds, fails with a permanent error, or the attempts are exhausted.
 * Rejects with the last error.
 */
export function retryTransient<Result>(work: () => Promise<Result>, options: RetryOptions = {}): Promise<Result> {
  const { firstDelayMs: initialMs = 50, maxDelayMs: maxMs = 5000, ...policy } = options
  return retry(work, { isTransient: isTransientPostgresError, attempts: 5, ...policy, initialMs, maxMs })
}
