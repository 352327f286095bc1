import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createQuota } from './quota.ts'

test('a quota can be used up in one burst and refills evenly', () => {
  let nowMs = 0
  const quota = createQuota(60, () => nowMs)
  assert.equal(quota.policy, '"caller";q=60;w=60')
  assert.equal(quota.state(), '"caller";r=60')
  for (let left = 59; left >= 0; left--) {
    assert.equal(quota.take(), 0)
    assert.equal(quota.state(), `"caller";r=${left};t=1`)
  }
  assert.equal(quota.take(), 1_000)
  nowMs = 600
  assert.equal(quota.take(), 400)
  nowMs = 1_000
  assert.equal(quota.take(), 0)
  assert.ok(quota.take() > 0)
  nowMs = 200_000
  assert.equal(quota.state(), '"caller";r=60')
})

test('several requests are taken together or not at all, and never more than the quota', () => {
  let nowMs = 0
  const quota = createQuota(60, () => nowMs)
  assert.equal(quota.take(40), 0)
  assert.equal(quota.take(25), 5_000)
  assert.equal(quota.state(), '"caller";r=20;t=1', 'a refusal takes nothing')
  assert.equal(quota.waitFor(25), 5_000)
  nowMs = 5_000
  assert.equal(quota.take(25), 0)
  assert.equal(quota.take(61), Number.POSITIVE_INFINITY)
  nowMs = 1_000_000
  assert.equal(quota.take(61), Number.POSITIVE_INFINITY)
  assert.equal(quota.take(60), 0)
})

test('any mix of requests for several never exceeds the quota and its refill', () => {
  const counts = fc.array(fc.record({ count: fc.integer({ min: 1, max: 600 }), pauseMs: fc.nat(5_000) }), {
    maxLength: 200
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), counts, (perMinute, steps) => {
      let nowMs = 0
      const quota = createQuota(perMinute, () => nowMs)
      let taken = 0
      for (const { count, pauseMs } of steps) {
        nowMs += pauseMs
        if (quota.take(count) === 0) taken += count
        assert.ok(taken <= perMinute + (nowMs * perMinute) / 60_000 + 1e-6)
      }
    })
  )
})

test('any mix of single requests never exceeds the quota and its refill', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), steps, (perMinute, pauses) => {
      let nowMs = 0
      const quota = createQuota(perMinute, () => nowMs)
      let taken = 0
      for (const pauseMs of pauses) {
        nowMs += pauseMs
        const announced = Number(/r=(\d+)/.exec(quota.state())?.[1])
        const waitMs = quota.take()
        assert.equal(waitMs === 0, announced > 0, quota.state())
        if (waitMs === 0) taken++
        else {
          nowMs += waitMs
          assert.equal(quota.take(), 0, 'a request is available at the announced time')
          taken++
        }
      }
      assert.ok(taken <= perMinute + (nowMs * perMinute) / 60_000 + 1e-6)
    })
  )
})
