/** The loop of the guide of kafkajs: one transaction per batch of a partition, offsets sent with it. */
import { Kafka, logLevel } from 'kafkajs'
import {
  committed,
  fail,
  hold,
  rebalanceTimeoutMs,
  report,
  sessionTimeoutMs,
  task,
  transactionTimeoutMs
} from './worker.mjs'

const kafka = new Kafka({ clientId: 'comparison', brokers: task.brokers, logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({
  groupId: task.group,
  sessionTimeout: sessionTimeoutMs,
  rebalanceTimeout: rebalanceTimeoutMs,
  heartbeatInterval: 500,
  maxWaitTimeInMs: 500,
  readUncommitted: false
})
consumer.on(consumer.events.GROUP_JOIN, () => report({ event: 'joined' }))
consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) fail(payload.error)
})

if (task.mode === 'read') {
  await consumer.connect()
  await consumer.subscribe({ topics: [task.input], fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => report({ event: 'value', value: String(message.value) }) })
} else {
  const producers = new Map()
  await consumer.connect()
  await consumer.subscribe({ topics: [task.input], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 4,
    async eachBatch({ batch, resolveOffset, isStale, isRunning }) {
      if (batch.messages.length === 0) return
      const { topic, partition } = batch
      if (!producers.has(partition)) producers.set(partition, await connectProducer(topic, partition).catch(fail))
      // Begins before the records are processed, because this is what fences a former owner.
      const transaction = await producers.get(partition).transaction()
      await hold('processing')
      try {
        const messages = batch.messages.map(({ key, value }) => ({ key, value }))
        await transaction.send({ topic: task.output, messages })
        const offset = String(BigInt(batch.lastOffset()) + 1n)
        const topics = [{ topic, partitions: [{ partition, offset }] }]
        await transaction.sendOffsets({ consumerGroupId: task.group, topics })
        await hold('before-commit')
        if (isStale() || !isRunning()) await transaction.abort()
        else {
          await transaction.commit()
          resolveOffset(batch.lastOffset())
          committed(batch.messages.map(({ timestamp }) => timestamp))
        }
      } catch (error) {
        if (transaction.isActive()) await transaction.abort().catch(() => {})
        // The consumer restarts after errors that may be temporary; a fenced producer stays fenced.
        if (/fenc|epoch/i.test(`${error.type} ${error.message}`)) fail(error)
        throw error
      }
    }
  })
}

/**
 * Connects the producer of one input partition, which is how the guide chooses a transactional id: a
 * new owner of the partition fences the former one.
 */
async function connectProducer(topic, partition) {
  const producer = kafka.producer({
    transactionalId: `${task.group}-${topic}-${partition}`,
    transactionTimeout: transactionTimeoutMs,
    maxInFlightRequests: 1,
    idempotent: true,
    // By default it waits 300 ms if the former transaction is not yet complete.
    retry: { initialRetryTime: 5, retries: 20 }
  })
  await producer.connect()
  return producer
}
