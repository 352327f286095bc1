import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/stack/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { addHeaders } from '../dead-letters/headers.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'
import { loadParkedKeys } from './parked-keys.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function setUp(t: TestContext) {
  const topic = `parked-${randomUUID()}`
  await createTopics(connection, [{ name: deadLetterTopic(topic), partitions: 1, replicationFactor: 1 }])
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const producer = await createProducer(connection)
  const open = await new ScriptedProducer(connection, `open-${topic}`).init()
  t.after(() => Promise.all([cluster.close(), producer.close(), open.close()]))
  return { topic, cluster, producer, open }
}

test('a new owner waits for a dead letter whose transaction has not ended, and then knows its key', async t => {
  const { topic, cluster, producer, open } = await setUp(t)
  await open.write(deadLetterTopic(topic), 0, ['of a transaction that ends by and by'])
  const park = (key: string) =>
    producer.send([
      {
        topic: deadLetterTopic(topic),
        key,
        value: Buffer.from('v'),
        headers: addHeaders([], { 'dlq-stage': 'a stage' })
      }
    ])
  await park('blocked')
  const events: string[] = []
  const signal = AbortSignal.timeout(30_000)
  const loading = loadParkedKeys(cluster, [topic], 'a stage', { logger: silent, signal }).finally(() =>
    events.push('loaded')
  )
  for (const key of ['one', 'another', 'a third']) await park(key).then(() => events.push('written'))
  await open.end('abort')
  const keys = (await loading).get(topic)
  assert.equal(keys?.blocks(Buffer.from('blocked'), undefined), true)
  assert.deepEqual(events, ['written', 'written', 'written', 'loaded'])
})

test('whoever waits for a transaction to end can be stopped', async t => {
  const { topic, cluster, open } = await setUp(t)
  await open.write(deadLetterTopic(topic), 0, ['of a transaction that does not end'])
  const stopping = new AbortController()
  const loading = loadParkedKeys(cluster, [topic], 'a stage', { logger: silent, signal: stopping.signal })
  setImmediate(() => stopping.abort(new Error('stopped')))
  await assert.rejects(loading, /stopped/)
  await open.end('abort')
})
