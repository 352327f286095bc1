import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lineThrough, median, quantile, ratiosByRound, spreadOf } from './statistics.ts'

test('the median is the middle value, or the mean of the two middle values', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
})

test('a quantile interpolates between neighbours, and 0 and 1 give minimum and maximum', () => {
  assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20)
  assert.equal(quantile([0, 10], 0.99), 9.9)
  assert.equal(quantile([7], 0.999), 7)
  // Adding 0 turns -0 into 0, which deepEqual would distinguish.
  const number = fc.double({ noNaN: true, min: -1e9, max: 1e9 }).map(number => number + 0)
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), numbers => {
      assert.equal(quantile(numbers, 0), Math.min(...numbers))
      assert.equal(quantile(numbers, 1), Math.max(...numbers))
    })
  )
})

test('a spread has median, minimum and maximum', () => {
  assert.deepEqual(spreadOf([5, 1, 3]), { median: 3, lowest: 1, highest: 5 })
})

test('the fit of points on a line is that line', () => {
  const { slope, at0 } = lineThrough([1, 2, 5].map(x => [x, 3 * x + 2] as const))
  assert.ok(Math.abs(slope - 3) < 1e-12 && Math.abs(at0 - 2) < 1e-12)
})

test('ratios compare contestants within each round', () => {
  const [some, others] = [[2, 30, 8].map(rate => ({ rate })), [1, 10, 16].map(rate => ({ rate }))]
  assert.deepEqual(
    ratiosByRound(some, others, ({ rate }) => rate),
    { median: 2, lowest: 0.5, highest: 3 }
  )
})
