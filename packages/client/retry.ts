/** Retry policy as pure functions, testable without a server. */

export interface Attempt {
  /** Status of the response; undefined if there was none. */
  readonly status?: number
  readonly retryAfterSeconds?: number
  /** True if the request may be repeated: it only reads, or has an idempotency key. */
  readonly isRepeatable: boolean
  /** Number of attempts made, including this one. */
  readonly attempts: number
}

const firstPauseMs = 200
const longestPauseMs = 5_000
const passing = new Set([408, 425, 500, 502, 503, 504])

/**
 * Computes the backoff before the next attempt.
 * @param random jitter from 0 to 1, so that clients that failed together do not retry together
 * @returns the backoff in milliseconds, or undefined if the error is permanent
 */
export function pauseBefore(attempt: Attempt, random: number): number | undefined {
  const { status, retryAfterSeconds, isRepeatable, attempts } = attempt
  if (!mayHelp(status, retryAfterSeconds, isRepeatable)) return undefined
  const longestMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempts - 1))
  return Math.max((retryAfterSeconds ?? 0) * 1_000, longestMs / 2) + (random * longestMs) / 2
}

function mayHelp(status: number | undefined, retryAfterSeconds: number | undefined, isRepeatable: boolean): boolean {
  // The request was not executed, so any request may be repeated.
  if (status === 429) return true
  if (!isRepeatable) return false
  // A new order may not be visible yet (404), and a conflict (409) may be permanent. Transient ones
  // have Retry-After.
  if (status === 404 || status === 409) return retryAfterSeconds !== undefined
  return status === undefined || passing.has(status)
}

/** Parses `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. */
export function readRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const atMs = /^[A-Z][a-z]{2}, \d/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, (atMs - nowMs) / 1_000)
}
