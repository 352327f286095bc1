import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment, startBroker } from '@orderly/stack/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import { committedPositions } from '../group/committed-offsets.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'
import { type GroupIdentity, TransactionalProducer } from './transactional-producer.ts'

const shared: KafkaConnection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }

async function setUp(t: TestContext, connection = shared) {
  const topic = `transactions-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: 1, replicationFactor: 1 }])
  const transactionalID = `transactional-${randomUUID()}`
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  t.after(() => cluster.close())
  const createProducer = (via: Cluster = cluster, transactionTimeoutMs = 10_000) =>
    new TransactionalProducer(via, { transactionalID, transactionTimeoutMs, stepTimeoutMs: 4_000 })
  // A group without members: its offsets may be written by anybody (generation -1), which is all that is needed here.
  const group: GroupIdentity = { groupID: `group-${topic}`, memberID: '', instanceID: null, generation: -1 }
  const record = (value: string) => ({ topic, key: 'k', value: Buffer.from(value), headers: {} })
  const offset = (next: bigint) => [{ topic, partition: 0, offset: next }]
  const committedOffset = async () => {
    const [position] = await committedPositions(cluster, group, [{ topic, partition: 0 }], AbortSignal.timeout(20_000))
    return position?.offset
  }
  const committedValues = async (last: string) => {
    const records = await readCommitted(connection, topic, all => all.some(({ value }) => value.toString() === last))
    return records.map(({ value }) => value.toString())
  }
  return { topic, transactionalID, createProducer, group, record, offset, committedOffset, committedValues }
}

/** A cluster on which the answer to requests with this API key gets lost once. */
function losingAnswer(connection: KafkaConnection, apiKey: number): Cluster {
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const askCoordinator = cluster.askCoordinator.bind(cluster)
  let lost = false
  cluster.askCoordinator = async (type, key, api, ...args) => {
    const answer = await askCoordinator(type, key, api, ...args)
    if (lost || api.key !== apiKey) return answer
    lost = true
    throw new KafkaError('BROKER_UNAVAILABLE', 'the answer got lost', { retryable: true })
  }
  return cluster
}

/** A cluster on which requests with this API key do not leave until somebody lets them. */
function holdingBack(connection: KafkaConnection, apiKey: number) {
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const askCoordinator = cluster.askCoordinator.bind(cluster)
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  cluster.askCoordinator = async (type, key, api, ...args) => {
    if (api.key === apiKey) {
      reached.resolve()
      await released.promise
    }
    return askCoordinator(type, key, api, ...args)
  }
  return { cluster, reached: reached.promise, release: () => released.resolve() }
}

const endTransaction = 26

test('records and offsets become visible together', async t => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t)
  const producer = createProducer()
  await producer.init()
  await producer.commit([record('a'), record('b')], offset(7n), group)
  assert.deepEqual(await committedValues('b'), ['a', 'b'])
  assert.equal(await committedOffset(), 7n)
})

test('a restart under the same transactional id aborts what its predecessor left open, and writes at once', async t => {
  const { topic, transactionalID, createProducer, group, record, offset, committedValues } = await setUp(t)
  const predecessor = await new ScriptedProducer(shared, transactionalID).init()
  t.after(() => predecessor.close())
  await predecessor.write(topic, 0, ['left open'])
  const successor = createProducer()
  await successor.init()
  await successor.commit([record('new')], offset(1n), group)
  assert.deepEqual(await committedValues('new'), ['new'])
})

test('an instance whose id was taken commits nothing and is told that it is fenced, also when it tries to recover', async t => {
  const { createProducer, group, record, offset, committedValues } = await setUp(t)
  const zombie = createProducer()
  await zombie.init()
  const successor = createProducer()
  await successor.init()
  const fenced = { name: 'KafkaError', code: 'FENCED', retryable: false }
  await assert.rejects(zombie.commit([record('from the grave')], offset(99n), group), fenced)
  await assert.rejects(zombie.recover(), fenced)
  await successor.commit([record('alive')], offset(1n), group)
  assert.deepEqual(await committedValues('alive'), ['alive'])
})

test('after a commit whose answer got lost the transaction is committed once, and the producer goes on', async t => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t)
  const deaf = losingAnswer(shared, endTransaction)
  t.after(() => deaf.close())
  const producer = createProducer(deaf)
  await producer.init()
  await assert.rejects(producer.commit([record('a')], offset(1n), group), { code: 'BROKER_UNAVAILABLE' })
  await producer.recover()
  assert.equal(await committedOffset(), 1n)
  await producer.commit([record('b')], offset(2n), group)
  assert.deepEqual(await committedValues('b'), ['a', 'b'])
})

test('a new owner waits for the offsets of a transaction in flight instead of starting from before it', async t => {
  const { topic, createProducer, group, record, offset, committedOffset } = await setUp(t)
  const held = holdingBack(shared, endTransaction)
  t.after(() => held.cluster.close())
  const producer = createProducer(held.cluster)
  await producer.init()
  const committing = producer.commit([record('a')], offset(1n), group)
  await held.reached
  const asked = committedOffset()
  const other = await new ScriptedProducer(shared, `other-${topic}`).init() // whose answers come meanwhile
  t.after(() => other.close())
  assert.equal(await Promise.race([asked, other.init().then(() => 'still waiting')]), 'still waiting')
  held.release()
  await committing
  assert.equal(await asked, 1n)
})

test('a transaction that was open for too long is aborted by the coordinator, and its owner goes on under the same id', async t => {
  const { topic, createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t)
  const held = holdingBack(shared, endTransaction)
  const witness = await new ScriptedProducer(shared, `witness-${topic}`).init()
  t.after(() => Promise.all([held.cluster.close(), witness.close()]))
  const slow = createProducer(held.cluster, 1_000)
  await slow.init()
  const committing = slow.commit([record('too late')], offset(1n), group)
  await held.reached
  await witness.write(topic, 0, ['behind it'])
  await witness.end('commit')
  assert.deepEqual(await committedValues('behind it'), ['behind it']) // readable only once the transaction before it has ended
  held.release()
  await assert.rejects(committing, { code: 'FENCED' })
  assert.equal(await committedOffset(), 0n)
  await slow.recover() // nobody has taken the id, so it is still this one's
  await slow.commit([record('in time')], offset(1n), group)
  assert.deepEqual(await committedValues('in time'), ['behind it', 'in time'])
})

test('a broker that is killed in the middle of a transaction and comes back: the same batch is committed once', async t => {
  const broker = await startBroker(t)
  const connection = { brokers: broker.brokers, clientID: 'integration-test' }
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, connection)
  const held = holdingBack(connection, endTransaction)
  t.after(() => held.cluster.close())
  const producer = createProducer(held.cluster)
  await producer.init()
  const committing = producer.commit([record('a')], offset(1n), group)
  committing.catch(() => {})
  await held.reached
  await broker.kill()
  held.release()
  await assert.rejects(committing, { code: 'BROKER_UNAVAILABLE' })
  await broker.start()
  await untilRecovered(producer)
  assert.equal(await committedOffset(), 0n)
  await producer.commit([record('a')], offset(1n), group)
  assert.equal(await committedOffset(), 1n)
  assert.deepEqual(await committedValues('a'), ['a'])
})

async function untilRecovered(producer: TransactionalProducer): Promise<void> {
  for (;;) {
    try {
      return await producer.recover()
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retryable) throw error
    }
  }
}
