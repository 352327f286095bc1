import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shrink } from './shrink.ts'

const planOf = (length: number) => Array.from({ length }, (_, index) => index)

test('the result is the smallest set of faults that fails, whichever two faults cause it', async () => {
  const anyPlan = fc.integer({ min: 2, max: 40 }).chain(length => {
    return fc.tuple(fc.constant(length), fc.nat(length - 1), fc.nat(length - 1))
  })
  await fc.assert(
    fc.asyncProperty(anyPlan, async ([length, first, second]) => {
      const causes = [...new Set([first, second])].toSorted((a, b) => a - b)
      const fails = async (part: readonly number[]) => causes.every(cause => part.includes(cause))
      assert.deepEqual(await shrink(planOf(length), { fails, mostRuns: 1_000 }), causes)
    })
  )
})

test('a plan that does not fail again has no smallest part', async () => {
  assert.equal(await shrink(planOf(9), { fails: async () => false, mostRuns: 10 }), undefined)
})

test('the number of runs is limited, and the result has failed', async () => {
  const tried: (readonly number[])[] = []
  const fails = async (part: readonly number[]) => {
    tried.push(part)
    return part.includes(3) && part.includes(29)
  }
  const smallest = await shrink(planOf(32), { fails, mostRuns: 4 })
  assert.equal(tried.length, 4)
  assert.ok(smallest !== undefined && (await fails(smallest)))
})
