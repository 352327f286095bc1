import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fixedRate, follow } from './open-loop.ts'

test('a fixed rate spaces requests evenly and returns the number that is due at a time', () => {
  const schedule = fixedRate(1_000, 200, 1_000)
  assert.equal(schedule.count, 200)
  assert.equal(schedule.dueAtMs(3), 1_015)
  assert.equal(schedule.dueBy(999), 0)
  assert.equal(schedule.dueBy(1_000), 1)
  assert.equal(schedule.dueBy(1_014.9), 3)
  assert.equal(schedule.dueBy(99_999), 200)
})

test('a delayed sender sends all requests in order, each with its due time', async () => {
  const nowMs = performance.timeOrigin + performance.now()
  const schedule = fixedRate(nowMs - 50, 1_000, 100)
  const sent: [number, number][] = []
  await follow(schedule, (index, dueAtMs) => sent.push([index, dueAtMs]))
  assert.equal(sent.length, 100)
  for (const [position, [index, dueAtMs]] of sent.entries()) {
    assert.equal(index, position)
    assert.equal(dueAtMs, schedule.dueAtMs(index))
  }
})
