import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { createTopics, growTopic } from '../cluster/admin.ts'
import type { KafkaConnection } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { createReservedWriter } from '../producer/reserved-writer.ts'
import { createPlacedTopic, deleteTopic } from '../testing/change-topics.ts'
import { createMemoryPositions } from '../testing/memory-positions.ts'
import { textCodec } from '../testing/text-codec.ts'
import type { PositionStore } from './position-store.ts'
import { runStage } from './run-stage.ts'
import type { StageObserver } from './stage.ts'

const shared: KafkaConnection = {
  brokers: integrationEnvironment().kafkaBrokers,
  clientID: 'integration-test',
  metadataMaxAgeMs: 500
}
const deadlineMs = 60_000

interface LogLine {
  readonly level: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Collects the records that stages read from topics; each instance has its own name. */
function setUp(t: TestContext, connection = shared) {
  const id = randomUUID()
  const read: { readonly topic: string; readonly partition: number; readonly text: string; readonly by: string }[] = []
  const logs: LogLine[] = []
  const log = (level: string) => (fields: object) => void logs.push({ level, fields: { ...fields } })
  const logger = { debug: () => {}, info: log('info'), warn: log('warn'), error: log('error') }
  const start = (
    topics: readonly string[],
    instance = 'a',
    observer: StageObserver = {},
    positions: PositionStore | undefined = undefined
  ) => {
    const stage = runStage(
      {
        name: 'reading',
        group: `group-${id}`,
        inputs: topics.map(name => ({ name, eventType: 'Text', codec: textCodec })),
        process: async (records, context) => {
          await positions?.advance(context.positions)
          read.push(...records.map(({ topic, partition, event }) => ({ topic, partition, text: event, by: instance })))
          return []
        }
      },
      {
        connection,
        transactionalID: `${id}-${instance}`,
        instanceID: `${id}-${instance}`,
        sessionTimeoutMs: 6_000,
        isTransient: () => false,
        logger,
        observer,
        ...(positions && { positions })
      }
    )
    t.after(() => stage.stop())
    return stage
  }
  const create = (name: string, partitions: number) =>
    createTopics(
      connection,
      [name, deadLetterTopic(name)].map(name => ({ name, partitions, replicationFactor: 1 }))
    )
  const openProducer = async () => {
    const producer = await createProducer(connection)
    t.after(() => producer.close())
    return (topic: string, partition: number, text: string) =>
      producer.send([{ topic, partition, key: text, value: Buffer.from(text), headers: {} }])
  }
  const untilRead = (topic: string, ...texts: readonly string[]) =>
    waitUntil(() => texts.every(text => read.some(own => own.topic === topic && own.text === text)), {
      what: `${texts.join(', ')} of ${topic} being read`,
      deadlineMs
    })
  const untilLogged = (event: string) =>
    waitUntil(() => logs.some(({ fields }) => fields.event === event), { what: `a log line ${event}`, deadlineMs })
  return { id, read, logs, start, create, openProducer, untilRead, untilLogged }
}

describe('added partitions', () => {
  test('are read from their beginning by all instances of the group, without a restart', async t => {
    const { id, read, start, create, openProducer, untilRead, untilLogged } = setUp(t)
    const topic = `grown-${id}`
    await create(topic, 2)
    const added: unknown[] = []
    const observer: StageObserver = { partitionsAdded: event => added.push(event) }
    for (const instance of ['a', 'b']) start([topic], instance, observer)
    const send = await openProducer()
    await Promise.all([send(topic, 0, '0'), send(topic, 1, '1')])
    await untilRead(topic, '0', '1')
    await growTopic(shared, topic, 4)
    // The records are written before a member of the group reads the new partitions.
    const sendAsNew = await openProducer()
    await Promise.all([2, 3].map(partition => sendAsNew(topic, partition, `${partition}`)))
    await untilRead(topic, '2', '3')
    await untilLogged('partitions_added')
    assert.deepEqual(added[0], { stage: 'reading', topic, from: 2, to: 4 })
    assert.equal(read.length, 4)
    assert.equal(new Set(read.filter(({ partition }) => partition >= 2).map(({ by }) => by)).size, 2)
  })

  test('receive records from producers that started before', async t => {
    const { id, create } = setUp(t)
    const topic = `grown-${id}`
    await create(topic, 1)
    const producer = await createProducer(shared)
    t.after(() => producer.close())
    const written = new Set<number>()
    const send = (key: string) => producer.send([{ topic, key, value: Buffer.from(key), headers: {} }])
    await send('first')
    await growTopic(shared, topic, 8)
    const { start, untilRead, read } = setUp(t)
    start([topic])
    await waitUntil(
      async () => {
        const keys = Array.from({ length: 20 }, () => randomUUID())
        await Promise.all(keys.map(send))
        await untilRead(topic, ...keys)
        for (const { partition } of read) written.add(partition)
        return written.size === 8
      },
      { what: 'all partitions being written', deadlineMs }
    )
  })
})

test('added partitions get sequence reservations', async t => {
  const { id, create } = setUp(t)
  const topic = `grown-${id}`
  await create(topic, 1)
  const writer = createReservedWriter(shared)
  t.after(() => writer.close())
  assert.equal((await writer.reserve(topic, 'first')).partition, 0)
  await growTopic(shared, topic, 8)
  const partitions = new Set<number>()
  await waitUntil(
    async () => {
      const key = randomUUID()
      const slot = await writer.reserve(topic, key)
      await writer.write(slot, { topic, key, value: Buffer.from(key), headers: {} })
      writer.release(slot, 'written')
      partitions.add(slot.partition)
      return partitions.size === 8
    },
    { what: 'all partitions having slots', deadlineMs, intervalMs: 5 }
  )
})

describe('an unreadable topic', () => {
  test('that is missing does not stop the others, and is read once it exists', async t => {
    const { id, start, create, openProducer, untilRead, untilLogged } = setUp(t)
    const [there, missing] = [`there-${id}`, `missing-${id}`]
    await create(there, 2)
    const stage = start([there, missing])
    const send = await openProducer()
    await send(there, 1, 'a')
    await untilRead(there, 'a')
    await untilLogged('topic_unavailable')
    assert.ok(stage.isReady())
    await create(missing, 2)
    await send(missing, 1, 'b')
    await untilRead(missing, 'b')
  })

  test('that was recreated with fewer partitions does not stop the others', async t => {
    const { id, start, create, openProducer, untilRead } = setUp(t)
    const [kept, recreated] = [`kept-${id}`, `recreated-${id}`]
    await create(kept, 4)
    await create(recreated, 4)
    start([kept, recreated])
    const send = await openProducer()
    await Promise.all([0, 1, 2, 3].map(partition => send(recreated, partition, `old ${partition}`)))
    await untilRead(recreated, 'old 0', 'old 1', 'old 2', 'old 3')
    await deleteTopic(shared, recreated)
    await waitUntil(() => create(recreated, 2).then(() => true), { what: 'the topic being recreated', deadlineMs })
    await Promise.all([0, 1, 2, 3].map(partition => send(kept, partition, `kept ${partition}`)))
    await untilRead(kept, 'kept 0', 'kept 1', 'kept 2', 'kept 3')
    await Promise.all([0, 1].map(partition => send(recreated, partition, `new ${partition}`)))
    await untilRead(recreated, 'new 0', 'new 1')
  })
})

test('a partition without a leader stops neither readers nor writers of the others, and is read once it has one', async t => {
  const brokers = await startBroker(t, { count: 3, heapMB: 256 })
  const connection = { brokers: brokers.brokers, clientID: 'integration-test', metadataMaxAgeMs: 500 }
  const { id, start, openProducer, untilRead, untilLogged } = setUp(t, connection)
  const topic = `led-${id}`
  await createPlacedTopic(connection, topic, [[1], [2], [3]])
  await createPlacedTopic(connection, deadLetterTopic(topic), [[1], [2], [1]])
  const unavailable: number[] = []
  const observer: StageObserver = { unavailable: ({ partitions }) => unavailable.push(partitions) }
  start([topic], 'a', observer)
  const send = await openProducer()
  await Promise.all([0, 1, 2].map(partition => send(topic, partition, `before ${partition}`)))
  await untilRead(topic, 'before 0', 'before 1', 'before 2')
  brokers.killOne(3)
  await untilLogged('partition_unavailable')
  assert.equal(unavailable.at(-1), 1)
  // One partition takes at most half of the queue.
  const small = await createProducer(connection, { maxBufferedRecords: 10 })
  t.after(() => small.close())
  const ask = (partition: number) => small.send([{ topic, partition, key: 'k', value: Buffer.from('x'), headers: {} }])
  await ask(0)
  const waiting = Array.from({ length: 5 }, () => ask(2).catch(() => {}))
  await assert.rejects(ask(2), { code: 'PRODUCER_QUEUE_FULL', retryable: true })
  await ask(1)
  await Promise.all([0, 1].map(partition => send(topic, partition, `without ${partition}`)))
  await untilRead(topic, 'without 0', 'without 1')
  await Promise.all(waiting)
  // An instance that starts now reads the partitions that have a leader.
  start([topic], 'b')
  await Promise.all([0, 1].map(partition => send(topic, partition, `started ${partition}`)))
  await untilRead(topic, 'started 0', 'started 1')
  await brokers.startOne(3)
  await waitUntil(() => send(topic, 2, 'after').then(() => true), { what: 'the partition being written', deadlineMs })
  await untilRead(topic, 'after')
  await waitUntil(() => unavailable.at(-1) === 0, { what: 'no partition being unavailable', deadlineMs })
})

test('a recreated topic whose partitions get their leaders one after another is reported once', async t => {
  const brokers = await startBroker(t, { count: 3, heapMB: 256 })
  const connection = { brokers: brokers.brokers, clientID: 'integration-test', metadataMaxAgeMs: 500 }
  const { id, start, openProducer, untilRead, untilLogged } = setUp(t, connection)
  const topic = `recreated-${id}`
  const create = () => createPlacedTopic(connection, topic, [[1], [3]])
  await create()
  await createPlacedTopic(connection, deadLetterTopic(topic), [[1], [2]])
  const send = await openProducer()
  const positions = createMemoryPositions()
  const first = start([topic], 'a', {}, positions)
  await Promise.all([0, 1].map(partition => send(topic, partition, `old ${partition}`)))
  await untilRead(topic, 'old 0', 'old 1')
  await first.stop()
  await deleteTopic(connection, topic)
  await waitUntil(() => create().then(() => true), { what: 'the topic being recreated', deadlineMs })
  await Promise.all([0, 1].map(partition => send(topic, partition, `new ${partition}`)))
  brokers.killOne(3)
  const recreations: string[] = []
  start([topic], 'a', { recreated: ({ topic }) => recreations.push(topic) }, positions)
  await untilRead(topic, 'new 0')
  await untilLogged('partition_unavailable')
  await brokers.startOne(3)
  await untilRead(topic, 'new 1')
  assert.deepEqual(recreations, [topic])
})
