import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createShares } from './shares.ts'

describe('shares', () => {
  test('a caller at its limit is refused, other callers only at the total limit', () => {
    const shares = createShares({ total: 3, perCaller: 2 })
    const held = [shares.acquire('berlin'), shares.acquire('berlin')]
    assert.equal(shares.acquire('berlin'), 'caller')
    assert.equal(typeof shares.acquire('paris'), 'function')
    assert.equal(shares.acquire('paris'), 'total')
    assert.equal(shares.acquire(undefined), 'total')
    const [release] = held as (() => void)[]
    release?.()
    release?.()
    assert.equal(typeof shares.acquire(undefined), 'function', 'a second release has no effect')
    assert.equal(shares.acquire('berlin'), 'total')
  })

  test('neither limit is ever exceeded, and released amounts can be acquired again', () => {
    const step = fc.record({ caller: fc.constantFrom('a', 'b', undefined), amount: fc.integer({ min: 1, max: 5 }) })
    fc.assert(
      fc.property(fc.array(fc.oneof(step, fc.nat()), { maxLength: 60 }), steps => {
        const shares = createShares({ total: 10, perCaller: 6 })
        const held: { caller: string | undefined; amount: number; release: () => void }[] = []
        for (const next of steps) {
          if (typeof next === 'number') held.splice(next % (held.length || 1), 1)[0]?.release()
          else {
            const release = shares.acquire(next.caller, next.amount)
            if (typeof release === 'function') held.push({ ...next, release })
          }
          const sumOf = (caller?: string) =>
            held.reduce((sum, one) => sum + (caller === undefined || one.caller === caller ? one.amount : 0), 0)
          assert.ok(sumOf() <= 10 && sumOf('a') <= 6 && sumOf('b') <= 6)
        }
        for (const { release } of held) release()
        assert.equal(typeof shares.acquire('a', 6), 'function')
        assert.equal(typeof shares.acquire(undefined, 4), 'function')
      })
    )
  })
})
