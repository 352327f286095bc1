import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addOffset, type CountedOffsets, forgetOldGaps, isCounted, nothingCounted } from './counted-offsets.ts'

const addAll = (offsets: readonly number[], start: CountedOffsets = nothingCounted) =>
  offsets.reduce((counted, offset) => (isCounted(counted, offset) ? counted : addOffset(counted, offset)), start)

test('exactly the added offsets are counted, in any sequence of additions', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 })), offsets => {
      const counted = addAll(offsets)
      for (let offset = 0; offset <= 41; offset++)
        assert.equal(isCounted(counted, offset), offsets.includes(offset), `offset ${offset}`)
      assert.deepEqual(counted, addAll(offsets.toSorted((a, b) => a - b)))
    })
  )
})

test('consecutive offsets need no gaps', () => {
  assert.deepEqual(addAll(Array.from({ length: 1_000 }, (_, offset) => offset)), { next: 1_000, gaps: [] })
})

test('gaps far below the next offset are removed', () => {
  const everySecond = Array.from({ length: 60_000 }, (_, index) => index * 2)
  const sparse = { next: 120_000, gaps: everySecond.map((from): [number, number] => [from + 1, from + 2]) }
  const { gaps, next } = forgetOldGaps(sparse)
  assert.equal(next, 120_000)
  assert.equal(gaps.length, 25_000)
  assert.equal(isCounted(forgetOldGaps(sparse), 1), true)
  assert.deepEqual(forgetOldGaps(addAll([1_000_000])).gaps, [[950_001, 1_000_000]])
})
