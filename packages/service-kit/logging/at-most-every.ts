/**
 * Returns a function that calls `log` at most once per interval, with the number of suppressed
 * values.
 */
export function atMostEvery<Value>(
  intervalMs: number,
  log: (value: Value, suppressed: number) => void
): (value: Value) => void {
  let nextMs = 0
  let suppressed = 0
  return value => {
    const nowMs = performance.now()
    if (nowMs < nextMs) {
      suppressed++
      return
    }
    nextMs = nowMs + intervalMs
    log(value, suppressed)
    suppressed = 0
  }
}
