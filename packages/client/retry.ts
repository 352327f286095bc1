/** When to try again: pure, so that it can be read and tested without a server. */

export interface Attempt {
  /** Undefined: there was no answer. */
  readonly status?: number
  readonly retryAfterSeconds?: number
  /** Whether the request may be made twice without harm: it asks only, or has a key. */
  readonly isRepeatable: boolean
  /** How many there were, this one included. */
  readonly attempts: number
}

const firstPauseMs = 200
const longestPauseMs = 5_000
const passing = new Set([408, 425, 500, 502, 503, 504])

/**
 * @param random from 0 to 1, so that clients that failed together do not come again together
 * @returns how long to wait before the next attempt; undefined: there is none that would help
 */
export function pauseBefore(attempt: Attempt, random: number): number | undefined {
  const { status, retryAfterSeconds, isRepeatable, attempts } = attempt
  if (!mayHelp(status, retryAfterSeconds, isRepeatable)) return undefined
  const longestMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempts - 1))
  return Math.max((retryAfterSeconds ?? 0) * 1_000, longestMs / 2) + (random * longestMs) / 2
}

function mayHelp(status: number | undefined, retryAfterSeconds: number | undefined, isRepeatable: boolean): boolean {
  // Nothing was done, so it may be asked for again whatever it was.
  if (status === 429) return true
  if (!isRepeatable) return false
  // An order that was placed this moment may not be known yet, and what conflicts may be for good; if it passes it is said when.
  if (status === 404 || status === 409) return retryAfterSeconds !== undefined
  return status === undefined || passing.has(status)
}

/** `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. */
export function readRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const atMs = /^[A-Z][a-z]{2}, \d/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, (atMs - nowMs) / 1_000)
}
