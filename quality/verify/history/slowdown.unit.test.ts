import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slowdownIn } from './slowdown.ts'

const samples = [
  { atMs: 1_000, slowdown: 2 },
  { atMs: 3_000, slowdown: 4 },
  { atMs: 5_000, slowdown: 0.9 }
]

test('bounds are extended by the mean slowdown of the interval', () => {
  assert.equal(slowdownIn(samples, 0, 4_000), 3)
  assert.equal(slowdownIn(samples, 2_000, 4_000), 4)
})

test('an interval without samples takes the last sample before it', () => {
  assert.equal(slowdownIn(samples, 3_500, 4_500), 4)
  assert.equal(slowdownIn(samples, 0, 500), 1)
})

test('a fast machine and a history without samples do not change bounds', () => {
  assert.equal(slowdownIn(samples, 4_500, 6_000), 1)
  assert.equal(slowdownIn(undefined, 0, 6_000), 1)
})
