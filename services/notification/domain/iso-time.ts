const latestMs = 8.64e15

/** Topics can hold times that no calendar has. */
export function isoTime(timeMs: number): string {
  return new Date(Math.max(-latestMs, Math.min(latestMs, timeMs))).toISOString()
}
