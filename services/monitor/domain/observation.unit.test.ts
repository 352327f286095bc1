import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseGroups, hangingByTopic, lagSeconds, recordsHeldUp, replicationOf } from './observation.ts'

test('lag in seconds is the age of the record that waits longest, nothing when none waits, and never negative', () => {
  assert.equal(lagSeconds({ waitingSinceMs: 1_000 }, 3_500), 2.5)
  assert.equal(lagSeconds({ waitingSinceMs: undefined }, 3_500), 0)
  assert.equal(lagSeconds({ waitingSinceMs: 4_000 }, 3_500), 0)
})

test('held up is what lies between the last stable offset and the high watermark', () => {
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 10n }), 2)
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 12n }), 0)
  // Asked for one after the other, they may pass each other.
  assert.equal(recordsHeldUp({ endOffset: 12n, stableOffset: 13n }), 0)
})

test('a hanging transaction counts in each topic that it holds up, and topics that nothing holds up are told as well', () => {
  const partitions = ['a', 'a', 'b', 'c'].map(topic => ({ topic, partition: 0, endOffset: 0n, stableOffset: 0n }))
  // Whoever commits offsets in a transaction has written to a topic of Kafka's own, which is not looked at.
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

test('groups that come and go are left out, and no more than so many are looked at', () => {
  const groups = ['console-consumer-17', 'notifications', 'order-rate', 'orders-created']
  const ignored = ['console-consumer-']
  assert.deepEqual(chooseGroups(groups, { ignored, max: 100 }), {
    chosen: ['notifications', 'order-rate', 'orders-created'],
    leftOut: 0
  })
  assert.deepEqual(chooseGroups(groups, { ignored, max: 2 }), { chosen: ['notifications', 'order-rate'], leftOut: 1 })
})
