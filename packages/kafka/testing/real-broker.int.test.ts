import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics, growTopic } from '../cluster/admin.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { runStage } from '../stage/run-stage.ts'
import type { Stage } from '../stage/stage.ts'
import { testBrokerContract } from './broker-contract.ts'
import { deleteRecords } from './change-topics.ts'
import type { InMemoryStageOptions } from './in-memory-stage.ts'
import { readCommitted } from './read-committed.ts'
import { testStageControlContract } from './stage-control-contract.ts'
import { textCodec } from './text-codec.ts'

testBrokerContract('Kafka, exactly once', async () => brokerUnderTest('exactly-once'))
testBrokerContract('Kafka, at least once', async () => brokerUnderTest('at-least-once'))
testStageControlContract('Kafka, exactly once', async () => brokerUnderTest('exactly-once'))
testStageControlContract('Kafka, at least once', async () => brokerUnderTest('at-least-once'))

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function brokerUnderTest(delivery: 'exactly-once' | 'at-least-once') {
  const connection = {
    brokers: integrationEnvironment().kafkaBrokers,
    clientID: 'integration-test',
    metadataMaxAgeMs: 1_000
  }
  const transactionalID = `contract-${randomUUID()}`
  return {
    createTopics: (names: readonly string[], maxMessageBytes: Readonly<Record<string, number>> = {}) =>
      createTopics(
        connection,
        names.map(name => {
          const bytes = maxMessageBytes[name]
          const configs = bytes === undefined ? {} : { 'max.message.bytes': String(bytes) }
          return { name, partitions: 4, replicationFactor: 1, configs }
        })
      ),
    deleteRecords: (place: { topic: string; partition: number }, offset: bigint) =>
      deleteRecords(connection, place, offset),
    growTopic: (name: string, partitions: number) => growTopic(connection, name, partitions),
    producer: () => createProducer(connection),
    runStage: <Event>(stage: Stage<Event>, options: InMemoryStageOptions) =>
      runStage(stage, { ...options, connection, delivery, transactionalID }),
    read: (topic: string, count: number) => readCommitted(connection, topic, records => records.length >= count)
  }
}

async function setUp(t: TestContext) {
  const broker = brokerUnderTest('exactly-once')
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  await broker.createTopics([input, output, deadLetterTopic(input)])
  const producer = await broker.producer()
  t.after(() => producer.close())
  return { broker, input, output, producer }
}

test('outputs that exceed the size limit of a batch are written in several batches, each once', async t => {
  const { broker, input, output, producer } = await setUp(t)
  await producer.send(
    Array.from({ length: 8 }, (_, index) => ({ topic: input, key: 'k', value: Buffer.from(`${index}`), headers: {} }))
  )
  const filler = Buffer.alloc(150_000, '-')
  const outputsOf = (event: string) =>
    ['a', 'b', 'c'].map(part => ({ key: 'k', value: Buffer.concat([Buffer.from(`${event}${part}`), filler]) }))
  const stage = broker.runStage(
    {
      name: 'multiplying',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async records =>
        records.flatMap(({ event }) => outputsOf(event).map(record => ({ ...record, topic: output, headers: {} })))
    },
    { isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  const read = async (count: number) =>
    (await broker.read(output, count)).map(({ value }) => value.subarray(0, 2).toString())
  const expected = Array.from({ length: 8 }, (_, index) => ['a', 'b', 'c'].map(part => `${index}${part}`)).flat()
  assert.deepEqual(await read(24), expected)
  await producer.send([{ topic: input, key: 'k', value: Buffer.from('8'), headers: {} }])
  assert.deepEqual(await read(27), [...expected, '8a', '8b', '8c'])
})

test('an input whose output is too large for the broker is dead-lettered, and the others continue', async t => {
  const { broker, input, output, producer } = await setUp(t)
  const names = Array.from({ length: 40 }, (_, index) => (index === 17 ? 'huge' : `small ${index}`))
  await producer.send(
    names.map((name, index) => ({ topic: input, key: `key ${index}`, value: Buffer.from(name), headers: {} }))
  )
  const stage = broker.runStage(
    {
      name: 'inflating',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async records =>
        records.map(({ key, event }) => ({
          topic: output,
          key,
          value: event === 'huge' ? Buffer.alloc(2_000_000) : Buffer.from(event),
          headers: {}
        }))
    },
    { isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  assert.equal((await broker.read(output, 39)).length, 39)
  const [deadLettered] = await broker.read(deadLetterTopic(input), 1)
  assert.equal(deadLettered?.value.toString(), 'huge')
  assert.equal(deadLettered?.headers['dlq-code'], 'MESSAGE_TOO_LARGE')
})

test('a stage with a fetch pace processes larger batches', async t => {
  const input = `in-${randomUUID()}`
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
  await createTopics(
    connection,
    [input, deadLetterTopic(input)].map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const everyMs = 200
  const batches: number[] = []
  const stage = runStage(
    {
      name: 'unhurried',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async records => {
        batches.push(records.length)
        return []
      }
    },
    {
      connection,
      delivery: 'at-least-once',
      fetchPace: { everyMs },
      maxBatchRecords: 5_000,
      isTransient: () => false,
      logger: silent
    }
  )
  t.after(() => stage.stop())
  const records = Array.from({ length: 50 }, () => ({ topic: input, key: 'a', value: Buffer.from('x'), headers: {} }))
  const taken = () => batches.reduce((sum, count) => sum + count, 0)
  await producer.send(records)
  await waitUntil(() => taken() === records.length, { what: 'the stage having begun', deadlineMs: 30_000 })
  const startMs = performance.now()
  const begun = batches.length
  for (let sent = 0; sent < 40; sent++) await producer.send(records)
  await waitUntil(() => taken() === 41 * records.length, { what: 'everything being taken', deadlineMs: 30_000 })
  const most = Math.ceil((performance.now() - startMs) / everyMs) + 1
  assert.ok(batches.length - begun <= most, `${batches.length - begun} batches, limit ${most}`)
})
