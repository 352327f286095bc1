import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfterMs } from './retry-after.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')

test('a pause is given in seconds or as a date; one that has passed is none', () => {
  assert.equal(retryAfterMs('120', nowMs), 120_000)
  assert.equal(retryAfterMs(['7', '9'], nowMs), 7_000)
  assert.equal(retryAfterMs('Fri, 02 Jan 2026 03:05:05 GMT', nowMs), 60_000)
  assert.equal(retryAfterMs('Fri, 02 Jan 2026 03:00:00 GMT', nowMs), 0)
})

test('what is neither is no pause', () => {
  for (const text of [undefined, '', '-1', '1.5', 'soon', '99999999999', '2026-01-02']) {
    assert.equal(retryAfterMs(text, nowMs), undefined, text)
  }
})
