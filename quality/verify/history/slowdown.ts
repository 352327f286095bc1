import type { MachineSample } from './history.ts'

/**
 * Returns the factor by which the checkers extend time limits, because the machine was slow in an
 * interval: the mean slowdown of the samples in the interval, at least 1. Without such samples, it
 * is the slowdown of the last sample before the interval, or 1.
 */
export function slowdownIn(samples: readonly MachineSample[] | undefined, fromMs: number, toMs: number): number {
  const within = samples?.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs) ?? []
  const used = within.length > 0 ? within : (samples?.filter(({ atMs }) => atMs < fromMs).slice(-1) ?? [])
  if (used.length === 0) return 1
  return Math.max(1, used.reduce((sum, { slowdown }) => sum + slowdown, 0) / used.length)
}
