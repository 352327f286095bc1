import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import {
  Admin,
  Consumer,
  FetchIsolationLevels,
  findErrorBy,
  MessagesStreamModes,
  Producer,
  type ProducerOptions,
  stringDeserializers,
  stringSerializers
} from '@platformatic/kafka'
import { createTopics } from '../cluster/admin.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'

/**
 * Defects of the client library, demonstrated on a real broker. The tests assert the *current*
 * behaviour of the client. A test that fails after an upgrade shows that its defect is fixed, and
 * that our workaround may be removed.
 */
const brokers = integrationEnvironment().kafkaBrokers
const base = { clientId: 'client-defects', bootstrapBrokers: brokers }

async function topicWith(partitions = 1): Promise<string> {
  const topic = `defects-${randomUUID()}`
  await createTopics({ brokers, clientID: 'client-defects' }, [{ name: topic, partitions, replicationFactor: 1 }])
  return topic
}

function clientProducer(
  t: TestContext,
  transactionalId: string,
  options: Partial<ProducerOptions<string, string, string, string>> = {}
) {
  const producer = new Producer({
    ...base,
    serializers: stringSerializers,
    idempotent: true,
    transactionalId,
    retries: 20,
    retryDelay: 5,
    ...options
  })
  t.after(() => producer.close())
  return producer
}

function clientConsumer(t: TestContext, groupId = `defects-${randomUUID()}`) {
  const consumer = new Consumer({
    ...base,
    groupId,
    deserializers: stringDeserializers,
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    autocommit: false
  })
  t.after(() => consumer.close(true))
  return consumer
}

async function scripted(t: TestContext, transactionalID = `scripted-${randomUUID()}`) {
  const producer = await new ScriptedProducer({ brokers, clientID: 'scripted' }, transactionalID).init()
  t.after(() => producer.close())
  return producer
}

test('the client returns a record of the first of two aborted transactions (workaround: fetch/)', async t => {
  const topic = await topicWith()
  const producer = await scripted(t)
  for (const outcome of ['abort', 'abort', 'commit'] as const) {
    await producer.write(topic, 0, [outcome === 'abort' ? 'aborted' : 'committed'])
    await producer.end(outcome)
  }
  const stream = await clientConsumer(t).consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false
  })
  const seen: string[] = []
  for await (const { value } of stream) {
    seen.push(value)
    if (value === 'committed') break
  }
  assert.deepEqual(seen, ['aborted', 'committed'])
})

test('the client is fenced when it restarts with its transactional id (workaround: transaction/)', async t => {
  const topic = await topicWith()
  const transactionalId = `defects-${randomUUID()}`
  const commitOne = async (producer: ReturnType<typeof clientProducer>) => {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, key: 'k', value: 'v' }] })
    await transaction.commit()
  }
  await commitOne(clientProducer(t, transactionalId))
  await assert.rejects(
    commitOne(clientProducer(t, transactionalId)),
    error => findErrorBy(error as Error, 'apiId', 'PRODUCER_FENCED') !== null
  )
})

test('the client waits a second by default for a transaction that ends in a millisecond (workaround: transaction/)', async t => {
  const topic = await topicWith()
  const producer = new Producer({
    ...base,
    serializers: stringSerializers,
    idempotent: true,
    transactionalId: `defects-${randomUUID()}`
  })
  t.after(() => producer.close())
  const delaysMs: number[] = []
  producer.on(
    'client:performWithRetry:retry' as never,
    ((_operation: string, _attempt: number, _retries: number, delayMs: number) => delaysMs.push(delayMs)) as never
  )
  for (let count = 0; count < 500 && delaysMs.length === 0; count++) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, key: 'k', value: 'v' }] })
    await transaction.commit()
  }
  assert.equal(delaysMs[0], 1_000)
})

test('the client reads committed offsets that an open transaction is about to replace (workaround: consumer-group/)', async t => {
  const { topic, groupId, consumer } = await transactionWithOffset(t)
  const offsets = await consumer.listCommittedOffsets({ topics: [{ topic, partitions: [0] }] })
  assert.equal(offsets.get(topic)?.[0], -1n, `the offsets of ${groupId} are in flight, so the client should wait`)
})

test('the client uses its request timeout as the transaction timeout (workaround: transaction/)', async t => {
  const topic = await topicWith()
  const transactionalId = `defects-${randomUUID()}`
  const producer = clientProducer(t, transactionalId, { timeout: 4_321 })
  const transaction = await producer.beginTransaction()
  await transaction.send({ messages: [{ topic, key: 'k', value: 'v' }] })
  const admin = new Admin(base)
  t.after(() => admin.close())
  const [described] = await describeTransactions(admin, transactionalId)
  assert.equal(described?.transactionTimeoutMs, 4_321)
  await transaction.abort()
})

test('the client commits at most one of several offsets added concurrently (workaround: transaction/, one request)', async t => {
  const topic = await topicWith(2)
  const groupId = `defects-${randomUUID()}`
  const consumer = clientConsumer(t, groupId)
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
  const writer = await scripted(t)
  for (const partition of [0, 1]) await writer.write(topic, partition, ['v'])
  await writer.end('commit')
  const messages = []
  for await (const message of stream) {
    messages.push(message)
    if (messages.length === 2) break
  }
  const transaction = await clientProducer(t, `defects-${randomUUID()}`).beginTransaction()
  await transaction.addConsumer(consumer)
  await Promise.all(messages.map(message => transaction.addOffset(message)))
  await transaction.commit()
  const offsets = await clientConsumer(t, groupId).listCommittedOffsets({ topics: [{ topic, partitions: [0, 1] }] })
  const committed = offsets.get(topic)?.filter(offset => Number(offset) === 1)
  assert.ok(committed !== undefined && committed.length < 2, `${offsets.get(topic)}`)
})

test('the client returns aborted records if the abort marker is outside the fetched range (workaround: fetch/)', async t => {
  const topic = await topicWith()
  const producer = await scripted(t)
  await producer.write(topic, 0, ['aborted 1'])
  await producer.write(topic, 0, ['aborted 2'])
  await producer.end('abort')
  await producer.write(topic, 0, ['committed'])
  await producer.end('commit')
  const consumer = clientConsumer(t)
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxBytes: 1
  })
  const seen: string[] = []
  for await (const { value } of stream) {
    seen.push(value)
    if (value === 'committed') break
  }
  assert.deepEqual(seen, ['aborted 1', 'aborted 2', 'committed'])
})

test('the client keeps a transaction whose start failed and rejects the next one (workaround: transaction/)', async t => {
  const topic = await topicWith()
  const transactionalId = `defects-${randomUUID()}`
  await scripted(t, transactionalId)
  const producer = clientProducer(t, transactionalId, { retries: 0 })
  await assert.rejects(async () => {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, key: 'k', value: 'v' }] })
  })
  await assert.rejects(producer.beginTransaction(), /another transaction|already|active/i)
})

test('a transaction of the client rejects offsets of a member with the new group protocol (workaround: the classic protocol)', async t => {
  const topic = await topicWith()
  const groupId = `defects-${randomUUID()}`
  const consumer = new Consumer({
    ...base,
    groupId,
    groupProtocol: 'consumer',
    deserializers: stringDeserializers,
    autocommit: false
  })
  t.after(() => consumer.close(true))
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
  const writer = await scripted(t)
  await writer.write(topic, 0, ['v'])
  await writer.end('commit')
  for await (const message of stream) {
    const transaction = await clientProducer(t, `defects-${randomUUID()}`, { retries: 0 }).beginTransaction()
    await transaction.addConsumer(consumer)
    await assert.rejects(
      transaction.addOffset(message),
      error => findErrorBy(error as Error, 'apiId', 'ILLEGAL_GENERATION') !== null
    )
    break
  }
})

async function transactionWithOffset(t: TestContext) {
  const topic = await topicWith()
  const groupId = `defects-${randomUUID()}`
  const consumer = clientConsumer(t, groupId)
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
  const writer = await scripted(t)
  await writer.write(topic, 0, ['v'])
  await writer.end('commit')
  for await (const message of stream) {
    const transaction = await clientProducer(t, `defects-${randomUUID()}`).beginTransaction()
    t.after(() => transaction.abort().catch(() => {}))
    await transaction.addConsumer(consumer)
    await transaction.addOffset(message)
    return { topic, groupId, consumer }
  }
  throw new Error('nothing was read')
}

async function describeTransactions(admin: Admin, transactionalId: string) {
  const { describeTransactionsV0 } = await import('@platformatic/kafka')
  const connections = await admin.connectToBrokers()
  for (const connection of connections.values()) {
    const response = await describeTransactionsV0.api.async(connection, [transactionalId]).catch(() => undefined)
    if (response !== undefined) return response.transactionStates
  }
  return []
}
