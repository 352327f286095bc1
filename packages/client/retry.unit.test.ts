import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseBefore, readRetryAfter } from './retry.ts'

const repeatable = { isRepeatable: true, attempts: 1 }

test('transient errors of repeatable requests are retried, others are not', () => {
  for (const status of [undefined, 408, 500, 502, 503, 504]) {
    const answer = status === undefined ? {} : { status }
    assert.ok(pauseBefore({ ...repeatable, ...answer }, 0.5) !== undefined, String(status))
    assert.equal(pauseBefore({ ...repeatable, ...answer, isRepeatable: false }, 0.5), undefined, String(status))
  }
  for (const status of [400, 401, 403, 404, 409, 413, 415, 422]) {
    assert.equal(pauseBefore({ ...repeatable, status }, 0.5), undefined, String(status))
  }
})

test('429 is always retried, and 404 and 409 are retried with Retry-After', () => {
  assert.ok(pauseBefore({ status: 429, isRepeatable: false, attempts: 1 }, 0) !== undefined)
  for (const status of [404, 409])
    assert.ok(pauseBefore({ ...repeatable, status, retryAfterSeconds: 1 }, 0) !== undefined)
})

test('the backoff grows, has jitter, and is never shorter than Retry-After', () => {
  const pauses = (random: number) =>
    [1, 2, 3, 4, 5, 6, 7].map(attempts => pauseBefore({ ...repeatable, attempts, status: 503 }, random))
  assert.deepEqual(pauses(0), [100, 200, 400, 800, 1_600, 2_500, 2_500])
  assert.deepEqual(pauses(1), [200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  assert.equal(pauseBefore({ ...repeatable, status: 503, retryAfterSeconds: 8 }, 0), 8_000)
})

test('Retry-After is seconds or a date', () => {
  const nowMs = Date.parse('2025-11-23T06:47:00Z')
  assert.equal(readRetryAfter('8', nowMs), 8)
  assert.equal(readRetryAfter('Sun, 23 Nov 2025 06:47:30 GMT', nowMs), 30)
  assert.equal(readRetryAfter('Sun, 23 Nov 2025 06:46:30 GMT', nowMs), 0)
  for (const nothing of [null, '', 'soon', '-1'])
    assert.equal(readRetryAfter(nothing, nowMs), undefined, String(nothing))
})
