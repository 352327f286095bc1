import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseGroups, hangingByTopic, lagSeconds, recordsHeldUp, replicationOf } from './observation.ts'

test('lag in seconds is the age of the oldest unprocessed record, 0 without lag, and never negative', () => {
  assert.equal(lagSeconds({ waitingSinceMs: 1_000 }, 3_500), 2.5)
  assert.equal(lagSeconds({ waitingSinceMs: undefined }, 3_500), 0)
  assert.equal(lagSeconds({ waitingSinceMs: 4_000 }, 3_500), 0)
})

test('held-up records are the difference between high watermark and last stable offset, and never negative', () => {
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 10n }), 2)
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 12n }), 0)
  // The two offsets are read one after the other, so the later one can be larger.
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 13n }), 0)
})

test('a hanging transaction counts in each observed topic that it wrote to, and other topics have the count 0', () => {
  const partitions = ['a', 'a', 'b', 'c'].map(topic => ({ topic, partition: 0, endOffset: 0n, stableOffset: 0n }))
  // A transaction that commits offsets also writes to an internal topic, which is not observed.
  const ofTwo = { kind: 'open' as const, partitions: ['a', 'a', 'b', '__consumer_offsets'].map(topic => ({ topic })) }
  const ofOne = { kind: 'forgotten' as const, partitions: [{ topic: 'a' }] }
  const counts = hangingByTopic({ partitions, hangingTransactions: [ofTwo, ofOne] })
  assert.deepEqual(
    counts.map(({ topic, kind, count }) => `${topic} ${kind} ${count}`),
    ['a open 1', 'a overdue 0', 'a forgotten 1', 'b open 1', 'b overdue 0', 'b forgotten 0'].concat(
      ['open', 'overdue', 'forgotten'].map(kind => `c ${kind} 0`)
    )
  )
})

test('a partition without a leader is offline; one that lacks replicas is under-replicated', () => {
  const healthy = { leaderID: 1, replicaIDs: [1, 2], inSyncReplicaIDs: [1, 2] }
  const lacking = { leaderID: 1, replicaIDs: [1, 2], inSyncReplicaIDs: [1] }
  const offline = { leaderID: -1, replicaIDs: [1, 2], inSyncReplicaIDs: [] }
  const topics = [
    { name: 'a', partitions: [healthy, lacking] },
    { name: 'b', partitions: [offline, lacking] }
  ]
  assert.deepEqual(replicationOf(topics), { underReplicated: 2, offline: 1 })
})

test('ignored groups are left out, and the number of observed groups is limited', () => {
  const groups = ['console-consumer-17', 'notifications', 'order-rate', 'orders-created']
  const ignored = ['console-consumer-']
  assert.deepEqual(chooseGroups(groups, { ignored, max: 100 }), {
    chosen: ['notifications', 'order-rate', 'orders-created'],
    leftOut: 0
  })
  assert.deepEqual(chooseGroups(groups, { ignored, max: 2 }), { chosen: ['notifications', 'order-rate'], leftOut: 1 })
})
