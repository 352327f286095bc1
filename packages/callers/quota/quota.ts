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
  /** Takes one. @returns 0, or for how many milliseconds there is none */
  take(): number
  /** Takes more than there may be, for what turned out to be more than one: the next ones wait the longer. */
  spend(count: number): void
  /** Of `RateLimit`: how many are left, and in how many seconds there is one more. */
  state(): string
}

const windowMs = 60_000

export function createQuota(requestsPerMinute: number, nowMs: () => number = () => performance.now()): Quota {
  const costMs = windowMs / requestsPerMinute
  // What floating point may lose over a window; far less than any cost.
  const slackMs = 1e-6
  let wholeAtMs = Number.NEGATIVE_INFINITY
  const missingMs = () => Math.max(0, wholeAtMs - nowMs())
  return {
    requestsPerMinute,
    policy: `"caller";q=${requestsPerMinute};w=${windowMs / 1_000}`,
    take() {
      const now = nowMs()
      const from = wholeAtMs > now ? wholeAtMs : now
      const waitMs = from + costMs - now - windowMs
      if (waitMs > slackMs) return waitMs
      wholeAtMs = from + costMs
      return 0
    },
    spend(count) {
      wholeAtMs = Math.max(wholeAtMs, nowMs()) + count * costMs
    },
    state() {
      const missing = missingMs()
      const left = Math.max(0, Math.floor((windowMs - missing + slackMs) / costMs))
      if (missing <= slackMs) return `"caller";r=${left}`
      const moreInMs = missing - windowMs + (left + 1) * costMs
      return `"caller";r=${left};t=${Math.ceil(moreInMs / 1_000)}`
    }
  }
}
