import type { OrderRate } from '@orderly/contracts'

/** A minute of event time with its counts. */
export interface Window {
  readonly startMs: number
  /** Orders created in the window and written to the topic within its grace period. */
  readonly orders: number
  /** Orders created in the window, but written or processed too late to count in `orders`. */
  readonly late: number
  /** Increases with every change; 0 if the window never had an order. */
  readonly revision: number
  /** True once `orders` can no longer change. */
  readonly isFinal: boolean
}

export interface WindowPolicy {
  /** Grace period: how long after the end of its window an order can be written and still count. */
  readonly graceMs: number
  /** Maximum clock difference between brokers and aggregators. */
  readonly clockSkewMs: number
  /** Time for which final windows are kept. */
  readonly retentionMs: number
}

export const windowMs = 60_000

export function windowStartOf(eventMs: number): number {
  return Math.floor(eventMs / windowMs) * windowMs
}

/** Formats a window as an ISO minute, such as `2025-11-23T06:47Z`. */
export function windowKey(startMs: number): string {
  return `${new Date(startMs).toISOString().slice(0, 16)}Z`
}

/**
 * Returns whether an order is late. Uses the time of writing, so that later and repeated reads give
 * the same result.
 */
export function isLate(startMs: number, writtenAtMs: number, { graceMs }: WindowPolicy): boolean {
  return writtenAtMs >= startMs + windowMs + graceMs
}

/**
 * Returns the newest window that is final once every record written before `completeUntilMs` is
 * counted.
 */
export function lastFinalWindow(completeUntilMs: number, { graceMs, clockSkewMs }: WindowPolicy): number {
  return windowStartOf(completeUntilMs - clockSkewMs - graceMs - windowMs)
}

/** Returns the oldest window that is kept. */
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

/** Returns `count` windows from the newest one backwards, including empty ones. */
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

/** Error for an order whose creation time cannot belong to a window. */
export class InvalidOrderTimeError extends Error {
  readonly code = 'ORDER_TIME_INVALID'
  readonly retryable = false

  constructor(createdAtMs: number) {
    super(`createdAtMs must be a time in the years 1970 to 9999 (got ${createdAtMs})`)
    this.name = 'InvalidOrderTimeError'
  }
}

const endOfYear9999Ms = 253_402_300_800_000

/** Validates the creation time of an order. @throws InvalidOrderTimeError */
export function checkOrderTime(createdAtMs: number): void {
  if (!(createdAtMs >= 0 && createdAtMs < endOfYear9999Ms)) throw new InvalidOrderTimeError(createdAtMs)
}
