/**
 * Times at which an open loop sends its requests, fixed in advance and independent of earlier
 * answers, as with real customers. Latency is counted from when a request was *due*: a generator
 * that waits for a slow server and starts its clock afterwards would omit the waiting time
 * (coordinated omission).
 */
export interface Schedule {
  readonly startMs: number
  readonly count: number
  dueAtMs(index: number): number
  /** Returns the number of requests that are due by the given time. */
  dueBy(nowMs: number): number
}

/** Returns a schedule of evenly spaced requests. */
export function fixedRate(startMs: number, perSecond: number, durationMs: number): Schedule {
  const gapMs = 1_000 / perSecond
  const count = Math.round(durationMs / gapMs)
  return {
    startMs,
    count,
    dueAtMs: index => startMs + index * gapMs,
    dueBy: nowMs => Math.max(0, Math.min(count, Math.floor((nowMs - startMs) / gapMs) + 1))
  }
}

/** Returns the time since the epoch, in milliseconds with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

const longestPauseMs = 5
/**
 * Minimum sleep; a request may be late by this, which counts as its latency, since busy waiting
 * would take a core.
 */
const shortestPauseMs = 1

/**
 * Calls `send` for each index when it is due. If the loop is late, it sends all overdue requests
 * immediately.
 */
export async function follow(schedule: Schedule, send: (index: number, dueAtMs: number) => void): Promise<void> {
  for (let next = 0; next < schedule.count; ) {
    const due = schedule.dueBy(nowMs())
    for (; next < due; next++) send(next, schedule.dueAtMs(next))
    if (next === schedule.count) return
    const waitMs = schedule.dueAtMs(next) - nowMs()
    await new Promise<void>(resolve => setTimeout(resolve, Math.max(shortestPauseMs, Math.min(longestPauseMs, waitMs))))
  }
}
