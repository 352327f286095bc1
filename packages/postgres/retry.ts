import { setTimeout as delay } from 'node:timers/promises'
import { isTransientPostgresError } from './errors.ts'

export interface RetryOptions {
  /** Defaults to isTransientPostgresError. */
  readonly isTransient?: (error: unknown) => boolean
  /** Tries in all, the first one included. */
  readonly attempts?: number
  /** The pause after the first failure; doubled after each further one, up to `maxDelayMs`, less a random part. */
  readonly firstDelayMs?: number
  readonly maxDelayMs?: number
  readonly signal?: AbortSignal
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/** Runs `work` until it succeeds, fails for good, or was tried often enough; then rejects with its last error. */
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

/** Exponential, and between half and all of it by chance, so that instances that failed together do not return together. */
export function retryDelayMs(
  attempt: number,
  firstDelayMs: number,
  maxDelayMs: number,
  random = Math.random()
): number {
  return Math.round(Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1)) * (0.5 + random / 2))
}
