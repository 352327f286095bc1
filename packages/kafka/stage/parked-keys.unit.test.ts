import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ParkedKeys } from './parked-keys.ts'

const keys = ['a', 'b', 'c'].map(key => Buffer.from(key))
const key = fc.constantFrom(...keys)
const replay = fc.constantFrom('one', 'two')
const step = fc.oneof(
  fc.record({ what: fc.constant('park' as const), key, replay: fc.option(replay, { nil: undefined }) }),
  fc.record({ what: fc.constant('release' as const), key, replay, count: fc.nat(4) })
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const take = (parked: ParkedKeys, step: Step) =>
  step.what === 'park' ? parked.park(step.key, step.replay) : parked.release(step.key, step.replay, step.count)

const stateOf = (parked: ParkedKeys) =>
  keys.map(key => [parked.count(key), ...[undefined, 'one', 'two'].map(replay => parked.blocks(key, replay))])

test('blocked keys with a base behave as if they contained its keys, and do not change the base', () => {
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const whole = new ParkedKeys('a stage')
      const base = new ParkedKeys('a stage')
      for (const one of before) assert.equal(take(base, one), take(whole, one))
      const stateBefore = stateOf(base)
      const layered = new ParkedKeys('a stage', base)
      for (const one of after) assert.equal(take(layered, one), take(whole, one))
      assert.deepEqual(stateOf(layered), stateOf(whole))
      assert.deepEqual(stateOf(base), stateBefore)
    })
  )
})
