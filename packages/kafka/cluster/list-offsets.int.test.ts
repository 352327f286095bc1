import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from './admin.ts'
import { Cluster } from './cluster.ts'
import { findOffsets, offsetAt } from './list-offsets.ts'

async function openTopic(t: TestContext) {
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
  const topic = `offsets-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: 1, replicationFactor: 1 }])
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  t.after(() => cluster.close())
  const partitions = [{ topic, partition: 0 }]
  assert.deepEqual((await findOffsets(cluster, partitions, offsetAt.end)).found, [{ topic, partition: 0, offset: 0n }])
  const leader = await cluster.leader(topic, 0)
  return { cluster, partitions, leader, newer: { ...leader, leaderEpoch: leader.leaderEpoch + 1 } }
}

test('a request for offsets carries the leader epoch, so that a former leader refuses it', async t => {
  const { cluster, partitions, newer } = await openTopic(t)
  t.mock.method(cluster, 'leader', async () => newer)
  const { found, failed } = await findOffsets(cluster, partitions, offsetAt.end)
  assert.deepEqual([found, failed.map(({ error }) => error.code)], [[], ['UNKNOWN_LEADER_EPOCH']])
})

test('offsets are requested again while broker and client disagree about the leader', async t => {
  const { cluster, partitions, leader, newer } = await openTopic(t)
  const lookups = [newer, newer]
  t.mock.method(cluster, 'leader', async () => lookups.shift() ?? leader)
  const { found, failed } = await findOffsets(cluster, partitions, offsetAt.end)
  assert.deepEqual([found, failed], [[{ ...partitions[0], offset: 0n }], []])
})
