import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '@orderly/launcher/testing'
import { findCoordinatorV6 } from '@platformatic/kafka'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'

/**
 * Test of a guarantee that Kafka 4.3.0, 4.3.1 and 4.4.0 violate (KAFKA-20734). They treat a
 * partition that is temporarily without a leader as deleted, so a transaction acknowledged as
 * committed at that moment gets no marker there. Its records, or its offsets, stay open until
 * something else ends or aborts them. No client can work around this: the test decides which Kafka
 * version this project starts.
 */
test('a transaction committed while a partition has no leader is also committed there once the leader returns', async t => {
  const broker = await startBroker(t, { count: 3, heapMB: 256 })
  const connection = { brokers: broker.brokers, clientID: 'broker-defects' }
  await createTopics(connection, [{ name: 'unreplicated', partitions: 3, replicationFactor: 1 }])
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const producer = await new ScriptedProducer(connection, 'a-producer').init()
  t.after(() => Promise.all([cluster.close(), producer.close()]))
  const answer = await request(await cluster.anyConnection(), findCoordinatorV6.api, 1, ['a-producer'])
  const coordinatorID = answer.coordinators[0]?.nodeId
  const leaders = (await cluster.partitions('unreplicated')).map(({ leaderID }) => leaderID)
  const partition = leaders.findIndex(leaderID => leaderID !== coordinatorID)

  await producer.write('unreplicated', partition, ['answered as committed'])
  const leaderID = leaders[partition] as number
  broker.killOne(leaderID)
  while ((await leaderOf(cluster, partition)) >= 0);
  await producer.end('commit')
  await broker.startOne(leaderID)

  const [record] = await readCommitted(connection, 'unreplicated', records => records.length > 0, {
    signal: AbortSignal.timeout(60_000)
  })
  assert.equal(record?.value.toString(), 'answered as committed')
})

async function leaderOf(cluster: Cluster, partition: number): Promise<number> {
  cluster.forget()
  const leaders = await cluster.partitions('unreplicated').catch(() => [])
  return leaders[partition]?.leaderID ?? 0
}
