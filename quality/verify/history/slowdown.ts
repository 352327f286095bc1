import type { MachineSample } from './history.ts'

/**
 * Returns the factor by which bounds of time are extended in an interval: the mean of the samples
 * in it, at least 1. Without samples, it is that of the last sample before the interval, or 1.
 */
export function slowdownIn(samples: readonly MachineSample[] | undefined, fromMs: number, toMs: number): number {
  const within = samples?.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs) ?? []
  const used = within.length > 0 ? within : (samples?.filter(({ atMs }) => atMs < fromMs).slice(-1) ?? [])
  if (used.length === 0) return 1
  return Math.max(1, used.reduce((sum, { slowdown }) => sum + slowdown, 0) / used.length)
}
