import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interleave } from './interleave.ts'

test('each round runs every contestant, starts with another one, and the warm-up round does not count', async () => {
  const turns: string[] = []
  const samples = await interleave(['a', 'b', 'c'], 2, async (name, round) => {
    turns.push(`${name}${round}`)
    return round
  })
  assert.deepEqual(turns, ['a0', 'b0', 'c0', 'b1', 'c1', 'a1', 'c2', 'a2', 'b2'])
  assert.deepEqual(
    [...samples],
    [
      ['a', [1, 2]],
      ['b', [1, 2]],
      ['c', [1, 2]]
    ]
  )
})

test('without warm-up rounds every round counts', async () => {
  const samples = await interleave(['a'], 2, async (_name, round) => round, { warmUpRounds: 0 })
  assert.deepEqual(samples.get('a'), [0, 1])
})
