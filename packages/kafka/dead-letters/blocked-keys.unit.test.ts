import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BlockedKeys } from './blocked-keys.ts'

const keys = ['a', 'b', 'c'].map(key => Buffer.from(key))
const key = fc.constantFrom(...keys)
const replay = fc.constantFrom('one', 'two')
const step = fc.oneof(
  fc.record({ what: fc.constant('park' as const), key, replay: fc.option(replay, { nil: undefined }) }),
  fc.record({ what: fc.constant('release' as const), key, replay, count: fc.nat(4) })
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const take = (deadLettered: BlockedKeys, step: Step) =>
  step.what === 'park'
    ? deadLettered.writeDeadLetter(step.key, step.replay)
    : deadLettered.release(step.key, step.replay, step.count)

const stateOf = (deadLettered: BlockedKeys) =>
  keys.map(key => [
    deadLettered.count(key),
    ...[undefined, 'one', 'two'].map(replay => deadLettered.blocks(key, replay))
  ])

test('blocked keys with a base behave as if they contained its keys, and do not change the base', () => {
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const whole = new BlockedKeys('a stage')
      const base = new BlockedKeys('a stage')
      for (const one of before) assert.equal(take(base, one), take(whole, one))
      const stateBefore = stateOf(base)
      const layered = new BlockedKeys('a stage', base)
      for (const one of after) assert.equal(take(layered, one), take(whole, one))
      assert.deepEqual(stateOf(layered), stateOf(whole))
      assert.deepEqual(stateOf(base), stateBefore)
    })
  )
})
