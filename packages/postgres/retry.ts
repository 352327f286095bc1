import { setTimeout as delay } from 'node:timers/promises'
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
export async function retryTransient<Result>(work: () => Promise<Result>, options: RetryOptions = {}): Promise<Result> {
  const { isTransient = isTransientPostgresError, attempts = 5, firstDelayMs = 50, maxDelayMs = 5000 } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts || options.signal?.aborted || !isTransient(error)) throw error
      const delayMs = retryDelayMs(attempt, firstDelayMs, maxDelayMs)
      options.onRetry?.(error, attempt, delayMs)
      await delay(delayMs, undefined, options.signal ? { signal: options.signal } : {}).catch(() => {
        throw error
      })
    }
  }
}

/**
 * Returns the exponential backoff with jitter: a random time from half to all of it, so that
 * instances that failed together do not retry together.
 */
export function retryDelayMs(
  attempt: number,
  firstDelayMs: number,
  maxDelayMs: number,
  random = Math.random()
): number {
  return Math.round(Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1)) * (0.5 + random / 2))
}
