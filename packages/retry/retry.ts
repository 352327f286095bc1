import { setTimeout as delay } from 'node:timers/promises'

/** Decides which errors are retried, for how long, and after which delays. */
export interface RetryPolicy {
  readonly isTransient: (error: unknown) => boolean
  /** Delay before the second attempt. */
  readonly initialMs: number
  /** Maximum delay; default `initialMs`, so that all delays are equal. */
  readonly maxMs?: number
  /** Factor by which the delay grows with each failure; default 2. */
  readonly factor?: number
  /**
   * Random share of a delay, from 0 to 1; default 0.5. It keeps processes that failed together from
   * retrying together.
   */
  readonly jitter?: number
  /** Returns the delay after this error if it differs from the backoff. */
  readonly delayMs?: (error: unknown) => number | undefined
  /** Maximum number of attempts, including the first; unlimited by default. */
  readonly attempts?: number
  /** Time after which a failed attempt is not repeated; unlimited by default. */
  readonly timeoutMs?: number
  /** Ends the retries, but not the attempt in flight. */
  readonly signal?: AbortSignal
  /** Called before each delay. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/**
 * Runs `work` until it succeeds, fails with a permanent error, or the policy ends the retries.
 * Rejects with the last error, also when the signal aborts.
 */
export async function retry<Result>(work: () => Promise<Result>, policy: RetryPolicy): Promise<Result> {
  const { isTransient, attempts = Infinity, timeoutMs = Infinity, signal, onRetry } = policy
  const deadlineMs = performance.now() + timeoutMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !isTransient(error) || performance.now() > deadlineMs) throw error
      const delayMs = policy.delayMs?.(error) ?? backoffMs(attempt, policy)
      onRetry?.(error, attempt, delayMs)
      if (delayMs <= 0) continue
      await delay(delayMs, undefined, signal && { signal }).catch(() => {
        throw error
      })
    }
  }
}

/** Returns the delay after this attempt, the first being 1. */
export function backoffMs(
  attempt: number,
  { initialMs, maxMs = initialMs, factor = 2, jitter = 0.5 }: Omit<RetryPolicy, 'isTransient'>,
  random = Math.random()
): number {
  const longestMs = Math.min(maxMs, initialMs * factor ** (attempt - 1))
  return Math.round(longestMs * (1 - jitter + random * jitter))
}
