import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from './admin.ts'
import { Cluster } from './cluster.ts'
import { findOffsets, offsetAt } from './list-offsets.ts'

test('a request for offsets carries the leader epoch, so that a former leader refuses it', async t => {
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
  const topic = `offsets-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: 1, replicationFactor: 1 }])
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  t.after(() => cluster.close())
  const partitions = [{ topic, partition: 0 }]
  assert.deepEqual((await findOffsets(cluster, partitions, offsetAt.end)).found, [{ topic, partition: 0, offset: 0n }])
  const leader = await cluster.leader(topic, 0)
  t.mock.method(cluster, 'leader', async () => ({ ...leader, leaderEpoch: leader.leaderEpoch + 1 }))
  const { found, failed } = await findOffsets(cluster, partitions, offsetAt.end)
  assert.deepEqual([found, failed.map(({ error }) => error.code)], [[], ['UNKNOWN_LEADER_EPOCH']])
})
