import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureInRounds } from './rounds.ts'

test('every contestant processes every sample, and ratios refer to the first one', () => {
  const seen = [new Set<number>(), new Set<number>()]
  const measured = measureInRounds(
    seen.map((indexes, contestant) => ({ name: `${contestant}`, run: index => indexes.add(index) })),
    { rounds: 3, roundMs: 1, samples: 10 }
  )
  for (const indexes of seen) assert.equal(indexes.size, 10)
  assert.equal(measured[0]?.ratio, 1)
  for (const { fastestNs, medianNs, slowestNs } of measured) assert.ok(fastestNs <= medianNs && medianNs <= slowestNs)
})
