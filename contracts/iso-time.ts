const latestMs = 8.64e15

/**
 * Formats a time from a topic or a table as ISO 8601. Times outside the range of `Date`, which
 * records can contain, become the nearest valid time, because a reader must not fail because of
 * them.
 */
export function isoTime(timeMs: number): string {
  // Postgres supports times after the range of `Date`, which pg returns as NaN.
  const ms = Number.isNaN(timeMs) ? latestMs : timeMs
  return new Date(Math.max(-latestMs, Math.min(latestMs, ms))).toISOString()
}
