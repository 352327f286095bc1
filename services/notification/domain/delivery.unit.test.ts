import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Attempt, type RetryPolicy, resultOf, retryDelayMs } from './delivery.ts'

const hourMs = 3_600_000
const policy: RetryPolicy = {
  maxAttempts: 20,
  maxAgeMs: 72 * hourMs,
  firstDelayMs: 5_000,
  maxDelayMs: 6 * hourMs,
  maxRetryAfterMs: 24 * hourMs
}
const failed: Attempt = { kind: 'failed', code: 'HTTP_500', reason: 'answered 500' }
const fresh = { attempts: 0, ageMs: 0 }

const random = fc.double({ min: 0, max: 1, noNaN: true })
const anyPolicy = fc
  .record({ maxAttempts: fc.integer({ min: 1, max: 50 }), firstDelayMs: fc.integer({ min: 10, max: 60_000 }) })
  .chain(({ maxAttempts, firstDelayMs }) =>
    fc.record({
      maxAttempts: fc.constant(maxAttempts),
      firstDelayMs: fc.constant(firstDelayMs),
      maxDelayMs: fc.integer({ min: firstDelayMs, max: 24 * hourMs }),
      maxAgeMs: fc.integer({ min: 1_000, max: 100 * hourMs }),
      maxRetryAfterMs: fc.integer({ min: 0, max: 24 * hourMs })
    })
  )
const anyAttempt: fc.Arbitrary<Attempt> = fc.oneof(
  fc.constantFrom<Attempt>({ kind: 'sent' }, { kind: 'released' }, { kind: 'unwanted' }),
  fc.record({ kind: fc.constant('refused'), code: fc.string(), reason: fc.string() }),
  fc.record({ kind: fc.constant('failed'), code: fc.string(), reason: fc.string(), retryAfterMs: fc.nat() }),
  fc.record({ kind: fc.constant('gone'), reason: fc.string() })
) as fc.Arbitrary<Attempt>

test('a delivery that the target accepts is sent, a rejected one is not retried, and one to a disabled target is skipped', () => {
  assert.deepEqual(resultOf(fresh, { kind: 'sent' }, policy, 0), { status: 'sent', attempts: 1 })
  const failure = { code: 'SMTP_550', reason: 'no such mailbox' }
  assert.deepEqual(resultOf(fresh, { kind: 'refused', ...failure }, policy, 0), {
    status: 'exhausted',
    attempts: 1,
    failure
  })
  assert.equal(resultOf(fresh, { kind: 'gone', reason: 'answered 410' }, policy, 0).status, 'skipped')
  assert.equal(resultOf(fresh, { kind: 'unwanted' }, policy, 0).status, 'skipped')
})

test('the default retry schedule begins after seconds, continues for days, and ends', () => {
  const delays: number[] = []
  for (let attempts = 0, ageMs = 0; ; attempts++) {
    const result = resultOf({ attempts, ageMs }, failed, policy, 1)
    if (result.status !== 'due') break
    delays.push(result.retryInMs)
    ageMs += result.retryInMs
  }
  const minute = 60_000
  assert.deepEqual(delays.slice(0, 7), [5_000, 20_000, 80_000, 320_000, 1_280_000, 5_120_000, 20_480_000])
  assert.ok(delays.slice(7).every(delayMs => delayMs === 6 * hourMs))
  const totalMs = delays.reduce((sum, delayMs) => sum + delayMs, 0)
  assert.ok(totalMs > 60 * hourMs && totalMs <= 72 * hourMs, `${totalMs / minute} min`)
})

test('a retry delay is 75 % to 100 % of four times the previous one, up to the maximum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), anyPolicy, random, (failures, policy, random) => {
      const whole = Math.min(policy.maxDelayMs, policy.firstDelayMs * 4 ** Math.min(failures - 1, 100))
      const delayMs = retryDelayMs(failures, policy, random)
      assert.ok(delayMs >= Math.floor(whole * 0.75) && delayMs <= whole)
    })
  )
})

test('a requested pause is kept up to its own maximum, which is longer than the maximum delay', () => {
  fc.assert(
    fc.property(fc.nat(100 * hourMs), random, (retryAfterMs, random) => {
      const result = resultOf(fresh, { ...failed, retryAfterMs } as Attempt, policy, random)
      assert.equal(result.status, 'due')
      const { retryInMs } = result as { retryInMs: number }
      const pauseMs = Math.min(retryAfterMs, policy.maxRetryAfterMs)
      assert.equal(retryInMs, Math.max(pauseMs, retryDelayMs(1, policy, random)))
    })
  )
})

test('a delivery that always fails is exhausted within the maximum attempts, and no retry is due after the maximum age', () => {
  fc.assert(
    fc.property(anyPolicy, random, (policy, random) => {
      let ageMs = 0
      let attempts = 0
      for (;;) {
        const result = resultOf({ attempts, ageMs }, failed, policy, random)
        assert.equal(result.attempts, attempts + 1)
        attempts = result.attempts
        assert.ok(attempts <= policy.maxAttempts)
        if (result.status !== 'due') {
          assert.equal(result.status, 'exhausted')
          return
        }
        ageMs += result.retryInMs
        assert.ok(ageMs <= policy.maxAgeMs)
      }
    })
  )
})

test('the number of attempts never decreases, and increases only when an attempt was made', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(), anyAttempt, random, (attempts, ageMs, attempt, random) => {
      const result = resultOf({ attempts, ageMs }, attempt, policy, random)
      const hasTried = attempt.kind !== 'released' && attempt.kind !== 'unwanted'
      assert.equal(result.attempts, attempts + Number(hasTried))
    })
  )
})

test('a delivery that is released without an attempt is due immediately and keeps its last failure', () => {
  const failure = { code: 'TIMEOUT', reason: 'no answer' }
  assert.deepEqual(resultOf({ attempts: 3, ageMs: 1e12, lastFailure: failure }, { kind: 'released' }, policy, 0), {
    status: 'due',
    attempts: 3,
    retryInMs: 0,
    failure
  })
})

test('a delivery is exhausted if the requested pause ends after its maximum age', () => {
  const asked: Attempt = { ...failed, retryAfterMs: 24 * hourMs } as Attempt
  assert.equal(resultOf({ attempts: 0, ageMs: 48 * hourMs }, asked, policy, 1).status, 'due')
  assert.equal(resultOf({ attempts: 0, ageMs: 48 * hourMs + 1 }, asked, policy, 1).status, 'exhausted')
})
