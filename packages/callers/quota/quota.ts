/**
 * A quota of requests per minute. The whole quota can be used in one burst, and it refills evenly.
 * It is the generic cell rate algorithm: its only state is the time at which the quota will be full
 * again, and it needs no timers.
 *
 * The header values follow draft-ietf-httpapi-ratelimit-headers-10.
 */
export interface Quota {
  readonly requestsPerMinute: number
  /** Value of the header `RateLimit-Policy`. */
  readonly policy: string
  /**
   * Takes `count` requests (1 by default) or nothing.
   * @returns 0 if they were taken, otherwise the milliseconds until they are available; infinite
   * for more than the quota
   */
  take(count?: number): number
  /**
   * Returns the milliseconds until `count` requests are available, or infinity for more than the
   * quota.
   */
  waitFor(count: number): number
  /**
   * Returns the value of the header `RateLimit`: remaining requests, and seconds until one more is
   * available.
   */
  state(): string
}

const windowMs = 60_000

export function createQuota(requestsPerMinute: number, nowMs: () => number = () => performance.now()): Quota {
  const costMs = windowMs / requestsPerMinute
  // Tolerance for floating-point errors over a window, far less than the cost of a request.
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
