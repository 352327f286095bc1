/**
 * How many requests a caller may make: so many a minute, all at once if it likes, coming back evenly. (The generic cell rate algorithm: one number,
 * the time at which the quota will be whole again, and no timers.)
 *
 * The header values are those of draft-ietf-httpapi-ratelimit-headers-10.
 */
export interface Quota {
  readonly requestsPerMinute: number
  /** Of `RateLimit-Policy`. */
  readonly policy: string
  /**
   * Takes `count` (one unless given) or nothing.
   * @returns 0 when they were taken, else the milliseconds until they will be there; infinite for more than the quota
   */
  take(count?: number): number
  /** Returns the milliseconds until `count` could be taken, 0 for now; infinite for more than the quota. */
  waitFor(count: number): number
  /** Of `RateLimit`: how many are left, and in how many seconds there is one more. */
  state(): string
}

const windowMs = 60_000

export function createQuota(requestsPerMinute: number, nowMs: () => number = () => performance.now()): Quota {
  const costMs = windowMs / requestsPerMinute
  // What floating point may lose over a window; far less than any cost.
  const slackMs = 1e-6
  let wholeAtMs = Number.NEGATIVE_INFINITY
  const missingMs = (now = nowMs()) => Math.max(0, wholeAtMs - now)

  function waitFor(count: number, now = nowMs()): number {
    if (count > requestsPerMinute) return Number.POSITIVE_INFINITY
    const waitMs = missingMs(now) + count * costMs - windowMs
    return waitMs > slackMs ? waitMs : 0
  }

  return {
    requestsPerMinute,
    policy: `"caller";q=${requestsPerMinute};w=${windowMs / 1_000}`,
    take(count = 1) {
      const now = nowMs()
      const waitMs = waitFor(count, now)
      if (waitMs === 0) wholeAtMs = Math.max(wholeAtMs, now) + count * costMs
      return waitMs
    },
    waitFor: count => waitFor(count),
    state() {
      const missing = missingMs()
      const left = Math.max(0, Math.floor((windowMs - missing + slackMs) / costMs))
      if (missing <= slackMs) return `"caller";r=${left}`
      const moreInMs = missing - windowMs + (left + 1) * costMs
      return `"caller";r=${left};t=${Math.ceil(moreInMs / 1_000)}`
    }
  }
}
