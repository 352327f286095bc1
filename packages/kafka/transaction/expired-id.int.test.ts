import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { startBroker } from '@orderly/launcher/testing'
import { describeTransactionsV0 } from '@platformatic/kafka'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { protocolErrorName } from '../errors.ts'
import { runStage } from '../stage/run-stage.ts'
import { withoutFeatures } from '../testing/intercept.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { TransactionalProducer } from './transactional-producer.ts'

/**
 * Settings that make a broker forget an unused transactional id after a second instead of seven
 * days.
 */
const settings = {
  'transactional.id.expiration.ms': 1_000,
  'transaction.remove.expired.transaction.cleanup.interval.ms': 200,
  'producer.id.expiration.ms': 1_000,
  'producer.id.expiration.check.interval.ms': 200
}
const deadlineMs = 60_000

test('an expired transactional id', async t => {
  const broker = await startBroker(t, { settings })
  const connection = { brokers: broker.brokers, clientID: 'integration-test' }
  const newCluster = () => {
    const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
    t.after(() => cluster.close())
    return cluster
  }
  const asking = newCluster()
  const createTopic = async () => {
    const topic = `expired-${randomUUID()}`
    const shape = { partitions: 1, replicationFactor: 1 }
    await createTopics(
      connection,
      [topic, deadLetterTopic(topic)].map(name => ({ name, ...shape }))
    )
    return topic
  }
  const untilExpired = (transactionalID: string) =>
    waitUntil(
      async () => {
        const ask = [transactionalID]
        const answer = await asking.askCoordinator('transaction', transactionalID, describeTransactionsV0.api, ask)
        return protocolErrorName(answer.transactionStates[0]?.errorCode ?? 0) === 'TRANSACTIONAL_ID_NOT_FOUND'
      },
      { what: `${transactionalID} having expired`, deadlineMs }
    )
  const valuesOf = async (topic: string, count: number) =>
    (await readCommitted(connection, topic, records => records.length >= count)).map(({ value }) => value.toString())

  for (const protocol of ['first', 'second'] as const) {
    const setUp = async () => {
      const topic = await createTopic()
      const transactionalID = `id-of-${topic}`
      const createProducer = async () => {
        const cluster = protocol === 'first' ? withoutFeatures(newCluster()) : newCluster()
        const options = { transactionalID, transactionTimeoutMs: 10_000, stepTimeoutMs: 4_000 }
        const producer = new TransactionalProducer(cluster, options)
        await producer.init()
        return producer
      }
      const group = { groupID: `group-${topic}`, memberID: '', instanceID: null, generation: -1 }
      const commit = (producer: TransactionalProducer, value: string) =>
        producer.commit(
          [{ topic, key: 'k', value: Buffer.from(value), headers: {} }],
          [{ topic, partition: 0, offset: 1n }],
          group
        )
      return { topic, transactionalID, createProducer, commit }
    }

    await t.test(`gets a new producer id when it is used again (${protocol} protocol)`, async () => {
      const { topic, transactionalID, createProducer, commit } = await setUp()
      const producer = await createProducer()
      await commit(producer, 'before')
      await untilExpired(transactionalID)
      await assert.rejects(commit(producer, 'after'), { code: 'INVALID_PRODUCER_ID_MAPPING' })
      await producer.recover()
      await commit(producer, 'after')
      assert.deepEqual(await valuesOf(topic, 2), ['before', 'after'])
    })

    await t.test(`fences its former owner if another instance has acquired it (${protocol} protocol)`, async () => {
      const { topic, transactionalID, createProducer, commit } = await setUp()
      const idle = await createProducer()
      await commit(idle, 'before')
      await untilExpired(transactionalID)
      const successor = await createProducer()
      const fenced = { code: 'FENCED', retryable: false }
      await assert.rejects(commit(idle, 'from the grave'))
      await assert.rejects(idle.recover(), fenced)
      await commit(successor, 'after')
      assert.deepEqual(await valuesOf(topic, 2), ['before', 'after'])
    })
  }

  await t.test('does not end its idle stage, which processes the next record once', async t => {
    const [input, output] = [await createTopic(), await createTopic()]
    const transactionalID = `stage-of-${input}`
    const stage = runStage(
      {
        name: 'idle',
        group: `group-${input}`,
        inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
        process: async records =>
          records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
      },
      {
        connection,
        transactionalID,
        instanceID: transactionalID,
        isTransient: () => false,
        logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
      }
    )
    t.after(() => stage.stop())
    const sender = new TransactionalProducer(newCluster(), {
      transactionalID: `sender-${input}`,
      transactionTimeoutMs: 10_000,
      stepTimeoutMs: 4_000
    })
    const send = async (value: string) => {
      await sender.init()
      await sender.commit([{ topic: input, key: 'k', value: Buffer.from(value), headers: {} }])
    }
    await send('a')
    assert.deepEqual(await valuesOf(output, 1), ['a'])
    await untilExpired(transactionalID)
    await send('b')
    assert.deepEqual(await valuesOf(output, 2), ['a', 'b'])
  })
})
