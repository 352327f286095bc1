import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkOrderTime,
  firstKeptWindow,
  isLate,
  lastFinalWindow,
  toOrderRate,
  windowKey,
  windowMs,
  windowStartOf,
  withEmptyWindows
} from './window.ts'

const policy = { graceMs: 300_000, clockSkewMs: 10_000, retentionMs: 86_400_000 }
const startMs = Date.parse('2025-11-23T06:47:00Z')

test('a window begins with its minute and ends before the next one', () => {
  assert.equal(windowStartOf(startMs), startMs)
  assert.equal(windowStartOf(startMs + windowMs - 1), startMs)
  assert.equal(windowStartOf(startMs + windowMs), startMs + windowMs)
  assert.equal(windowKey(startMs), '2025-11-23T06:47Z')
})

test('once a window is final, no record written in time for it can still appear', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 * windowMs }), fc.nat({ max: policy.clockSkewMs }), (sinceStartMs, delayMs) => {
      const writtenAtMs = startMs + sinceStartMs
      const seenAtMs = writtenAtMs + delayMs
      const isFinalBefore = startMs <= lastFinalWindow(seenAtMs, policy)
      if (isFinalBefore) assert.ok(isLate(startMs, writtenAtMs, policy))
    })
  )
})

test('a window is final exactly when its grace period and the clock tolerance have passed', () => {
  const finalAtMs = startMs + windowMs + policy.graceMs + policy.clockSkewMs
  assert.equal(lastFinalWindow(finalAtMs, policy), startMs)
  assert.equal(lastFinalWindow(finalAtMs - 1, policy), startMs - windowMs)
})

test('windows are kept until their retention after they became final', () => {
  const finalAtMs = startMs + windowMs + policy.graceMs + policy.clockSkewMs
  assert.equal(firstKeptWindow(finalAtMs + policy.retentionMs, policy), startMs)
})

test('a rate has orders per second and per minute', () => {
  const rate = toOrderRate({ startMs, orders: 90, late: 2, revision: 7, isFinal: true })
  assert.deepEqual(rate, {
    windowStartMs: startMs,
    windowEndMs: startMs + 60_000,
    orders: 90,
    perSecond: 1.5,
    perMinute: 90,
    late: 2,
    revision: 7,
    isFinal: true
  })
})

test('empty minutes are filled in, final if all partitions are complete beyond their grace period', () => {
  const known = { startMs: startMs - windowMs, orders: 3, late: 0, revision: 2, isFinal: false }
  const range = { newestStartMs: startMs, count: 3 }
  const completeUntilMs = startMs - windowMs + policy.graceMs + policy.clockSkewMs
  const windows = withEmptyWindows([known], range, completeUntilMs, policy)
  assert.deepEqual(windows, [
    { startMs, orders: 0, late: 0, revision: 0, isFinal: false },
    known,
    { startMs: startMs - 2 * windowMs, orders: 0, late: 0, revision: 0, isFinal: true }
  ])
  assert.ok(withEmptyWindows([], range, undefined, policy).every(({ isFinal }) => !isFinal))
})

test('a creation time outside the years 1970 to 9999 is refused', () => {
  checkOrderTime(0)
  checkOrderTime(startMs)
  for (const createdAtMs of [-1, Number.NaN, 253_402_300_800_000])
    assert.throws(() => checkOrderTime(createdAtMs), { code: 'ORDER_TIME_INVALID', retryable: false })
})
