import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slowdownIn } from './slowdown.ts'

const samples = [
  { atMs: 2_000, slowdown: 1 },
  { atMs: 4_000, slowdown: 4 },
  { atMs: 6_000, slowdown: 0.5 }
]

test('the factor of an interval is its length per time that the reference machine needs for the same work', () => {
  assert.equal(slowdownIn(samples, 4_000, 6_000), 4)
  // 2 s at full speed and 2 s at a quarter of it are worth 2.5 s.
  assert.equal(slowdownIn(samples, 2_000, 6_000), 4 / 2.5)
  assert.equal(slowdownIn(samples, 5_000, 7_000), 2 / 1.25)
})

test('the first sample also holds for the time before it, the last one for the time after it', () => {
  assert.equal(slowdownIn([{ atMs: 5_000, slowdown: 3 }], 0, 1_000), 3)
  assert.equal(slowdownIn([{ atMs: 5_000, slowdown: 3 }], 60_000, 61_000), 3)
  assert.equal(slowdownIn([{ atMs: 5_000, slowdown: 3 }], 5_000, 5_000), 3)
})

test('the time in which the machine was paused counts as time without work', () => {
  const paused = [
    { atMs: 0, slowdown: 1 },
    { atMs: 25_000, slowdown: 1 }
  ]
  assert.equal(slowdownIn(paused, 0, 25_000), 10)
})

test('a sample that takes longer than the interval is not a pause of the machine', () => {
  const slow = [
    { atMs: 0, slowdown: 100 },
    { atMs: 4_100, slowdown: 1 }
  ]
  assert.equal(Math.round(slowdownIn(slow, 0, 4_100)), 100)
})

test('a fast machine and a history without samples do not change bounds', () => {
  assert.equal(slowdownIn(samples, 6_000, 8_000), 1)
  assert.equal(slowdownIn(undefined, 0, 6_000), 1)
  assert.equal(slowdownIn([], 0, 6_000), 1)
})
