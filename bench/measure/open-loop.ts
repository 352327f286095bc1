/**
 * An open loop sends at times that are fixed beforehand, whatever became of what was sent before, as customers do. How long a request
 * took is counted from when it was *due*: a generator that waits for a slow server and starts its clock only then would leave out
 * just the requests that suffered (coordinated omission).
 */
export interface Schedule {
  readonly startMs: number
  readonly count: number
  dueAtMs(index: number): number
  /** How many are due at this moment, from the first one on. */
  dueBy(nowMs: number): number
}

/** Evenly spaced. */
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

const longestPauseMs = 5
/** So late a request may be sent, which counts as its latency: to wait for the very moment would keep a processor busy that others need. */
const shortestPauseMs = 1

/** Calls `send` for each index as soon as it is due; late ones at once, and never fewer than all. */
export async function follow(schedule: Schedule, send: (index: number, dueAtMs: number) => void): Promise<void> {
  for (let next = 0; next < schedule.count; ) {
    const due = schedule.dueBy(performance.timeOrigin + performance.now())
    for (; next < due; next++) send(next, schedule.dueAtMs(next))
    if (next === schedule.count) return
    const waitMs = schedule.dueAtMs(next) - (performance.timeOrigin + performance.now())
    await new Promise<void>(resolve => setTimeout(resolve, Math.max(shortestPauseMs, Math.min(longestPauseMs, waitMs))))
  }
}
