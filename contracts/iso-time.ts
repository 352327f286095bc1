const latestMs = 8.64e15

/**
 * Formats a time that was read from a topic or a table (ISO 8601). Records can hold times that `Date` cannot; they
 * become the nearest one that it can hold, since a reader must not fail because of them.
 */
export function isoTime(timeMs: number): string {
  // Postgres knows later times than `Date`, which pg reads as NaN.
  const ms = Number.isNaN(timeMs) ? latestMs : timeMs
  return new Date(Math.max(-latestMs, Math.min(latestMs, ms))).toISOString()
}
