import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { addHeaders } from '../dead-letters/headers.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { deleteTopic } from '../testing/change-topics.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'
import { BlockedKeyIndex } from './blocked-key-index.ts'

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

test('a new owner waits for open transactions in the dead-letter topic before it loads the blocked keys', async t => {
  const { topic, cluster, producer, open } = await setUp(t)
  await open.write(deadLetterTopic(topic), 0, ['of a transaction that ends by and by'])
  const writeDeadLetter = (key: string) =>
    producer.send([
      {
        topic: deadLetterTopic(topic),
        key,
        value: Buffer.from('v'),
        headers: addHeaders([], { 'dlq-stage': 'a stage' })
      }
    ])
  await writeDeadLetter('blocked')
  const events: string[] = []
  const signal = AbortSignal.timeout(30_000)
  const loading = new BlockedKeyIndex(cluster, 'a stage', silent)
    .load(topic, signal)
    .finally(() => events.push('loaded'))
  for (const key of ['one', 'another', 'a third']) await writeDeadLetter(key).then(() => events.push('written'))
  await open.end('abort')
  const keys = await loading
  assert.equal(keys.blocks(Buffer.from('blocked'), undefined), true)
  assert.deepEqual(events, ['written', 'written', 'written', 'loaded'])
})

test('waiting for a transaction to end can be aborted', async t => {
  const { topic, cluster, open } = await setUp(t)
  await open.write(deadLetterTopic(topic), 0, ['of a transaction that does not end'])
  const stopping = new AbortController()
  const loading = new BlockedKeyIndex(cluster, 'a stage', silent).load(topic, stopping.signal)
  setImmediate(() => stopping.abort(new Error('stopped')))
  await assert.rejects(loading, /stopped/)
  await open.end('abort')
})

test('a later load reads only added records of the dead-letter topic, and changes to its result do not affect the index', async t => {
  const { topic, cluster, producer } = await setUp(t)
  const deadLetters = deadLetterTopic(topic)
  const write = (keys: readonly string[], added: Readonly<Record<string, string>> = {}) =>
    producer.send(
      keys.map(key => ({
        topic: deadLetters,
        key,
        value: null,
        headers: addHeaders([], { 'dlq-stage': 'a stage', ...added })
      }))
    )
  const many = Array.from({ length: 2_000 }, (_, index) => `key ${index}`)
  await write(many)
  const remember = t.mock.method(BlockedKeys.prototype, 'remember')
  const index = new BlockedKeyIndex(cluster, 'a stage', silent)
  await index.preload(topic, t.signal)
  assert.equal(remember.mock.callCount(), many.length)
  await write(['another'])
  await write(['key 7'], { 'dlq-release': 'a replay' })
  const first = await index.load(topic, t.signal)
  first.writeDeadLetter(Buffer.from('parked, and not committed'), undefined)
  const second = await index.load(topic, t.signal)
  assert.equal(remember.mock.callCount(), many.length + 2)
  const blocks = (key: string) => second.blocks(Buffer.from(key), undefined)
  assert.deepEqual(['another', 'key 6', 'key 7', 'parked, and not committed'].map(blocks), [true, true, false, false])
  await deleteTopic(connection, deadLetters)
  await createTopics(connection, [{ name: deadLetters, partitions: 1, replicationFactor: 1 }])
  const knows = async (key: string) => (await index.load(topic, t.signal)).blocks(Buffer.from(key), undefined)
  const isForgotten = async () => !(await knows('another').catch(() => true))
  await waitUntil(isForgotten, { what: 'the keys of the deleted topic being forgotten', deadlineMs: 60_000 })
  await write(['of the new topic'])
  assert.deepEqual([await knows('of the new topic'), await knows('key 6')], [true, false])
})
