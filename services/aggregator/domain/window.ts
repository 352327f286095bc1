import type { OrderRate } from '@orderly/contracts'

/** A minute of event time, and what is known of it. */
export interface Window {
  readonly startMs: number
  /** Created in the window and written to the topic within its grace period. */
  readonly orders: number
  /** Created in the window, written or processed too late to change `orders`. */
  readonly late: number
  /** Rises with every change; 0: nothing has ever happened in it. */
  readonly revision: number
  /** `orders` never changes again. */
  readonly isFinal: boolean
}

export interface WindowPolicy {
  /** How long after the end of its window an order may be written and still count. */
  readonly graceMs: number
  /** By how much clocks may differ: those of brokers, and of who reads. */
  readonly settleMs: number
  /** How long final windows are kept. */
  readonly retentionMs: number
}

export const windowMs = 60_000

export function windowStartOf(eventMs: number): number {
  return Math.floor(eventMs / windowMs) * windowMs
}

/** The window as an ISO minute, `2025-11-23T06:47Z`. */
export function windowKey(startMs: number): string {
  return `${new Date(startMs).toISOString().slice(0, 16)}Z`
}

/** By when a record was written, so that it does not depend on who reads it when, and how often. */
export function isLate(startMs: number, writtenAtMs: number, { graceMs }: WindowPolicy): boolean {
  return writtenAtMs >= startMs + windowMs + graceMs
}

/** The last window that is final, and all before it, once everything written before `completeUntilMs` has been counted. */
export function lastFinalWindow(completeUntilMs: number, { graceMs, settleMs }: WindowPolicy): number {
  return windowStartOf(completeUntilMs - settleMs - graceMs - windowMs)
}

/** The windows before this one are no longer kept. */
export function firstKeptWindow(completeUntilMs: number, policy: WindowPolicy): number {
  return lastFinalWindow(completeUntilMs, policy) - Math.ceil(policy.retentionMs / windowMs) * windowMs
}

export function toOrderRate({ startMs, orders, late, revision, isFinal }: Window): OrderRate {
  return {
    windowStartMs: startMs,
    windowEndMs: startMs + windowMs,
    orders,
    perSecond: orders / (windowMs / 1000),
    perMinute: orders / (windowMs / 60_000),
    late,
    revision,
    isFinal
  }
}

/** Every window from the newest back to the oldest one that is asked for, also those in which nothing happened. */
export function withEmptyWindows(
  windows: readonly Window[],
  { newestStartMs, count }: { readonly newestStartMs: number; readonly count: number },
  completeUntilMs: number | undefined,
  policy: WindowPolicy
): Window[] {
  const known = new Map(windows.map(window => [window.startMs, window]))
  const lastFinalMs = completeUntilMs === undefined ? undefined : lastFinalWindow(completeUntilMs, policy)
  return Array.from({ length: count }, (_, index) => {
    const startMs = newestStartMs - index * windowMs
    const isFinal = lastFinalMs !== undefined && startMs <= lastFinalMs
    return known.get(startMs) ?? { startMs, orders: 0, late: 0, revision: 0, isFinal }
  })
}
