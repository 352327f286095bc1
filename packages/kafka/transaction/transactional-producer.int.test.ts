import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { committedOffsets } from '../consumer-group/committed-offsets.ts'
import { KafkaError } from '../errors.ts'
import { intercept, withoutFeatures } from '../testing/intercept.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'
import type { GroupIdentity } from '../types.ts'
import { TransactionalProducer } from './transactional-producer.ts'

const shared: KafkaConnection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }

/**
 * Transaction protocols. A broker with the second protocol also accepts the first; the producer
 * decides by the cluster features that it sees.
 */
const protocols = ['first', 'second'] as const
type Protocol = (typeof protocols)[number]

/** Runs a test with each protocol. */
function testBoth(name: string, run: (t: TestContext, protocol: Protocol) => Promise<void>): void {
  for (const protocol of protocols) test(`${name} (${protocol} protocol)`, t => run(t, protocol))
}

async function setUp(
  t: TestContext,
  protocol: Protocol,
  connection = shared,
  configs: Readonly<Record<string, string>> = {}
) {
  const topic = `transactions-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: 1, replicationFactor: 1, configs }])
  const transactionalID = `transactional-${randomUUID()}`
  const cluster = newCluster(connection)
  t.after(() => cluster.close())
  const createProducer = (via: Cluster = cluster, transactionTimeoutMs = 10_000) =>
    new TransactionalProducer(protocol === 'first' ? withoutFeatures(via) : via, {
      transactionalID,
      transactionTimeoutMs,
      stepTimeoutMs: 4_000
    })
  // Anyone may write the offsets of a group without members (generation -1), which is sufficient
  // here.
  const group: GroupIdentity = { groupID: `group-${topic}`, memberID: '', instanceID: null, generation: -1 }
  const record = (value: string) => ({ topic, key: 'k', value: Buffer.from(value), headers: {} })
  const offset = (next: bigint) => [{ topic, partition: 0, offset: next }]
  const committedOffset = async () => {
    const options = { signal: AbortSignal.timeout(20_000), patienceMs: 20_000 }
    const { found, failed } = await committedOffsets(cluster, group, [{ topic, partition: 0 }], options)
    assert.deepEqual(failed, [])
    return found[0]?.offset ?? 0n
  }
  const committedValues = async (last: string) => {
    const records = await readCommitted(connection, topic, all => all.some(({ value }) => value.toString() === last))
    return records.map(({ value }) => value.toString())
  }
  return { topic, transactionalID, createProducer, group, record, offset, committedOffset, committedValues }
}

const newCluster = (connection: KafkaConnection) => new Cluster(connection, { requestTimeoutMs: 5_000 })

/** Returns a cluster that records every request to a coordinator, by API key and version. */
function noting(connection: KafkaConnection) {
  const asked: string[] = []
  const cluster = intercept(newCluster(connection), ({ key, version }, send) => {
    asked.push(`${key} v${version}`)
    return send()
  })
  return { cluster, asked }
}

/** Returns a cluster on which commits appear to get no response, because they are held back. */
function delayingCommits(connection: KafkaConnection) {
  const delayed: (() => Promise<unknown>)[] = []
  let isDelaying = true
  const cluster = intercept(newCluster(connection), ({ key, args }, send) => {
    if (!isDelaying || key !== endTransaction || args.at(-1) !== true) return send()
    delayed.push(send)
    return Promise.reject(new KafkaError('BROKER_UNAVAILABLE', 'no answer in time', { retryable: true }))
  })
  const stopDelaying = () => {
    isDelaying = false
  }
  return { cluster, delayed, stopDelaying }
}

/** Returns a cluster that loses the response to requests with this API key once. */
function losingAnswer(connection: KafkaConnection, apiKey: number): Cluster {
  let lost = false
  return intercept(newCluster(connection), async ({ key }, send) => {
    const answer = await send()
    if (lost || key !== apiKey) return answer
    lost = true
    throw new KafkaError('BROKER_UNAVAILABLE', 'the response was lost', { retryable: true })
  })
}

/** Returns a cluster that holds requests with this API key back until they are released. */
function holdingBack(connection: KafkaConnection, apiKey: number) {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const cluster = intercept(newCluster(connection), async ({ key }, send) => {
    if (key === apiKey) {
      reached.resolve()
      await released.promise
    }
    return send()
  })
  return { cluster, reached: reached.promise, release: () => released.resolve() }
}

const endTransaction = 26

test('partitions and the group are added with the first protocol, and join automatically with the second', async t => {
  const expected = {
    first: ['18 v4', '22 v5', '24 v3', '25 v4', '28 v4', '26 v4'],
    second: ['18 v4', '22 v5', '28 v5', '26 v5']
  }
  for (const protocol of protocols) {
    const { createProducer, group, record, offset } = await setUp(t, protocol)
    const { cluster, asked } = noting(shared)
    t.after(() => cluster.close())
    const producer = createProducer(cluster)
    await producer.init()
    await producer.commit([record('a')], offset(1n), group)
    // Coordinators that were just elected are queried several times.
    assert.deepEqual([...new Set(asked)], expected[protocol])
  }
})

test('a running producer changes its protocol when the features of the cluster change', async t => {
  const { transactionalID, group, record, offset, committedOffset, committedValues } = await setUp(t, 'second')
  const { cluster, asked } = noting(shared)
  t.after(() => cluster.close())
  let isHidden = true
  const producer = new TransactionalProducer(
    withoutFeatures(cluster, () => isHidden),
    { transactionalID, transactionTimeoutMs: 10_000, stepTimeoutMs: 4_000, featuresMaxAgeMs: 0 }
  )
  await producer.init()
  const ends: string[] = []
  for (const [index, hides] of [true, false, false, true].entries()) {
    isHidden = hides
    asked.length = 0
    await producer.commit([record(`${index}`)], offset(BigInt(index + 1)), group)
    ends.push(asked.at(-1) ?? '')
  }
  assert.deepEqual(ends, ['26 v4', '26 v5', '26 v5', '26 v4'])
  assert.deepEqual(await committedValues('3'), ['0', '1', '2', '3'])
  assert.equal(await committedOffset(), 4n)
})

testBoth('consecutive commits of several records become visible in order', async (t, protocol) => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol)
  const producer = createProducer()
  await producer.init()
  const values = Array.from({ length: 50 }, (_, index) => [`${index}a`, `${index}b`])
  for (const [index, pair] of values.entries()) {
    await producer.commit(pair.map(record), offset(BigInt(index + 1)), group)
  }
  assert.deepEqual(await committedValues('49b'), values.flat())
  assert.equal(await committedOffset(), 50n)
})

testBoth('batches adapt to a small size limit of their topic, and are committed in order', async (t, protocol) => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol, shared, {
    'max.message.bytes': '20000'
  })
  const producer = createProducer()
  await producer.init()
  const texts = Array.from({ length: 400 }, (_, index) => `${index}`.padEnd(300, '.'))
  const [first, second] = [texts.map(text => `1 ${text}`), texts.map(text => `2 ${text}`)]
  await producer.commit(first.map(record), offset(1n), group)
  await assert.rejects(producer.commit([...second, 'x'.repeat(30_000)].map(record), offset(2n), group), {
    code: 'MESSAGE_TOO_LARGE',
    retryable: false
  })
  await producer.recover()
  await producer.commit(second.map(record), offset(2n), group)
  assert.deepEqual(await committedValues(second.at(-1) as string), [...first, ...second])
  assert.equal(await committedOffset(), 2n)
})

testBoth('a commit that arrives late does not commit a later transaction', async (t, protocol) => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol)
  const { cluster, delayed, stopDelaying } = delayingCommits(shared)
  t.after(() => cluster.close())
  const producer = createProducer(cluster)
  await producer.init()
  const unanswered = { code: 'BROKER_UNAVAILABLE' }
  await assert.rejects(producer.commit([record('first')], offset(1n), group), unanswered)
  await producer.recover()
  await assert.rejects(producer.commit([record('second')], offset(2n), group), unanswered)
  await delayed[0]?.().catch(() => {}) // while the second transaction is open
  await producer.recover()
  stopDelaying()
  assert.equal(await committedOffset(), 0n)
  await producer.commit([record('third')], offset(3n), group)
  assert.deepEqual(await committedValues('third'), ['third'])
  assert.equal(await committedOffset(), 3n)
})

testBoth('records and offsets become visible together', async (t, protocol) => {
  const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol)
  const producer = createProducer()
  await producer.init()
  await producer.commit([record('a'), record('b')], offset(7n), group)
  assert.deepEqual(await committedValues('b'), ['a', 'b'])
  assert.equal(await committedOffset(), 7n)
})

testBoth(
  'a restart with the same transactional id aborts the open transaction of its predecessor and can write immediately',
  async (t, protocol) => {
    const { topic, transactionalID, createProducer, group, record, offset, committedValues } = await setUp(t, protocol)
    const predecessor = await new ScriptedProducer(shared, transactionalID).init()
    t.after(() => predecessor.close())
    await predecessor.write(topic, 0, ['left open'])
    const successor = createProducer()
    await successor.init()
    await successor.commit([record('new')], offset(1n), group)
    assert.deepEqual(await committedValues('new'), ['new'])
  }
)

testBoth(
  'an instance whose id was acquired by another one is fenced on commit and on recovery',
  async (t, protocol) => {
    const { createProducer, group, record, offset, committedValues } = await setUp(t, protocol)
    const zombie = createProducer()
    await zombie.init()
    const successor = createProducer()
    await successor.init()
    const fenced = { name: 'KafkaError', code: 'FENCED', retryable: false }
    await assert.rejects(zombie.commit([record('from the grave')], offset(99n), group), fenced)
    await assert.rejects(zombie.recover(), fenced)
    await successor.commit([record('alive')], offset(1n), group)
    assert.deepEqual(await committedValues('alive'), ['alive'])
  }
)

testBoth(
  'a transaction whose commit response is lost is committed once, and the producer continues',
  async (t, protocol) => {
    const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol)
    const deaf = losingAnswer(shared, endTransaction)
    t.after(() => deaf.close())
    const producer = createProducer(deaf)
    await producer.init()
    await assert.rejects(producer.commit([record('a')], offset(1n), group), { code: 'BROKER_UNAVAILABLE' })
    await producer.recover()
    assert.equal(await committedOffset(), 1n)
    await producer.commit([record('b')], offset(2n), group)
    assert.deepEqual(await committedValues('b'), ['a', 'b'])
  }
)

testBoth('a new owner waits for the offsets of an in-flight transaction', async (t, protocol) => {
  const { topic, createProducer, group, record, offset, committedOffset } = await setUp(t, protocol)
  const held = holdingBack(shared, endTransaction)
  t.after(() => held.cluster.close())
  const producer = createProducer(held.cluster)
  await producer.init()
  const committing = producer.commit([record('a')], offset(1n), group)
  await held.reached
  const asked = committedOffset()
  const other = await new ScriptedProducer(shared, `other-${topic}`).init() // its responses arrive meanwhile
  t.after(() => other.close())
  assert.equal(await Promise.race([asked, other.init().then(() => 'still waiting')]), 'still waiting')
  held.release()
  await committing
  assert.equal(await asked, 1n)
})

testBoth(
  'a transaction that exceeds its timeout is aborted by the coordinator, and its owner continues with the same id',
  async (t, protocol) => {
    const { topic, createProducer, group, record, offset, committedOffset, committedValues } = await setUp(t, protocol)
    const held = holdingBack(shared, endTransaction)
    const witness = await new ScriptedProducer(shared, `witness-${topic}`).init()
    t.after(() => Promise.all([held.cluster.close(), witness.close()]))
    const slow = createProducer(held.cluster, 1_000)
    await slow.init()
    const committing = slow.commit([record('too late')], offset(1n), group)
    await held.reached
    await witness.write(topic, 0, ['behind it'])
    await witness.end('commit')
    assert.deepEqual(await committedValues('behind it'), ['behind it']) // readable once the previous transaction has ended
    held.release()
    await assert.rejects(committing, { code: protocol === 'first' ? 'FENCED' : 'INVALID_TXN_STATE' })
    assert.equal(await committedOffset(), 0n)
    await slow.recover() // succeeds, because no other instance has acquired the id
    await slow.commit([record('in time')], offset(1n), group)
    assert.deepEqual(await committedValues('in time'), ['behind it', 'in time'])
  }
)

testBoth(
  'a batch whose broker is killed during its transaction is committed once after the restart',
  async (t, protocol) => {
    const broker = await startBroker(t)
    const connection = { brokers: broker.brokers, clientID: 'integration-test' }
    const { createProducer, group, record, offset, committedOffset, committedValues } = await setUp(
      t,
      protocol,
      connection
    )
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
  }
)

async function untilRecovered(producer: TransactionalProducer): Promise<void> {
  for (;;) {
    try {
      return await producer.recover()
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retryable) throw error
    }
  }
}
