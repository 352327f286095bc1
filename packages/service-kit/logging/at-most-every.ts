/** Calls `log` with the first value of each interval and with how many were left out since the last call. */
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
