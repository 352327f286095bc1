import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createHeldPartitions } from './held-partitions.ts'

const afterMs = 1_000
const held = (stableOffset: bigint) => [{ topic: 'a', partition: 0, stableOffset, endOffset: 9n }]
const open = (startedAtMs: number, topic = 'a') => ({ startedAtMs, partitions: [{ topic, partition: 0 }] })

describe('held partitions', () => {
  test('a partition whose stable offset does not move, without a known transaction, is held by a forgotten one', () => {
    const { observe } = createHeldPartitions({ afterMs })
    assert.deepEqual(observe({ atMs: 5_000, partitions: held(3n), openTransactions: [] }), [])
    // This transaction began after the partition was held, by more than the clocks may differ.
    const later = open(15_001)
    assert.deepEqual(observe({ atMs: 5_999, partitions: held(3n), openTransactions: [later] }), [])
    assert.deepEqual(observe({ atMs: 6_000, partitions: held(3n), openTransactions: [later, open(1, 'b')] }), [
      { kind: 'forgotten', partitions: [{ topic: 'a' }] }
    ])
    assert.deepEqual(observe({ atMs: 7_000, partitions: held(9n), openTransactions: [] }), [])
  })

  test('a partition whose stable offset moves is not held by a forgotten transaction', () => {
    const { observe } = createHeldPartitions({ afterMs })
    for (const [step, stableOffset] of [3n, 4n, 5n].entries())
      assert.deepEqual(observe({ atMs: step * 2_000, partitions: held(stableOffset), openTransactions: [] }), [])
  })

  test('a known transaction that began before the partition was held is the holder', () => {
    const { observe } = createHeldPartitions({ afterMs })
    for (const atMs of [5_000, 7_000, 9_000])
      assert.deepEqual(observe({ atMs, partitions: held(3n), openTransactions: [open(4_000)] }), [])
    // The coordinator knows that the transaction has ended before the stable offset moves.
    assert.deepEqual(observe({ atMs: 9_900, partitions: held(3n), openTransactions: [] }), [])
  })
})
