import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureInRounds, median } from './rounds.ts'

test('the median is the middle, or halfway between the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
})

test('every contestant works on every sample, and the first one is what the others are compared with', () => {
  const seen = [new Set<number>(), new Set<number>()]
  const measured = measureInRounds(
    seen.map((indexes, contestant) => ({ name: `${contestant}`, run: index => indexes.add(index) })),
    { rounds: 3, roundMs: 1, samples: 10 }
  )
  for (const indexes of seen) assert.equal(indexes.size, 10)
  assert.equal(measured[0]?.ratio, 1)
  for (const { fastestNs, medianNs, slowestNs } of measured) assert.ok(fastestNs <= medianNs && medianNs <= slowestNs)
})
