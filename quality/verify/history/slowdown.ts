import type { MachineSample } from './history.ts'

/** Time between the starts of two samples, unless a sample takes longer. */
export const sampleIntervalMs = 2_000
/** Time of the sampled work on the reference machine without other load. */
export const referenceMs = { computation: 41, syncedWrite: 10 } as const

/**
 * Returns the factor by which time limits are extended, because the machine was slow in an interval;
 * at least 1.
 *
 * Each sample holds from its start until the next one. In that time the reference machine would have
 * needed only a part (1 / slowdown) for the same work. A sample that starts late shows that the
 * machine was paused: the delay counts as time without any work. The factor is the length of the
 * interval, divided by the time that the reference machine would have needed for its work.
 */
export function slowdownIn(samples: readonly MachineSample[] | undefined, fromMs: number, toMs: number): number {
  if (samples === undefined || samples.length === 0) return 1
  // An empty interval has the slowdown at its time.
  const endMs = Math.max(toMs, fromMs + 1)
  let workMs = 0
  for (const [index, { atMs, slowdown }] of samples.entries()) {
    const startsAtMs = index === 0 ? Math.min(fromMs, atMs) : atMs
    const nextAtMs = samples[index + 1]?.atMs ?? Number.POSITIVE_INFINITY
    const heldMs = Math.min(endMs, nextAtMs) - Math.max(fromMs, startsAtMs)
    if (heldMs <= 0) continue
    workMs += (heldMs * shareAtWork(nextAtMs - atMs, slowdown)) / Math.max(1, slowdown)
  }
  return Math.max(1, (endMs - fromMs) / workMs)
}

/** Returns the share of the time between two samples in which the machine was not paused. */
function shareAtWork(untilNextMs: number, slowdown: number): number {
  if (untilNextMs === Number.POSITIVE_INFINITY) return 1
  const expectedMs = Math.max(sampleIntervalMs, slowdown * referenceMs.computation) + sampleIntervalMs / 4
  return Math.min(1, expectedMs / untilNextMs)
}
