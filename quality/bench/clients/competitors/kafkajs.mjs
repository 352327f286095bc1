/** The loop of the guide of kafkajs: one transaction per batch, offsets sent with it. */
import { Kafka, logLevel } from 'kafkajs'
import {
  committed,
  fail,
  hold,
  rebalanceTimeoutMs,
  received,
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
  const producer = kafka.producer({
    transactionalId: task.transactionalID,
    transactionTimeout: transactionTimeoutMs,
    maxInFlightRequests: 1,
    idempotent: true
  })
  await producer.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [task.input], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    async eachBatch({ batch, resolveOffset, isStale, isRunning }) {
      if (batch.messages.length === 0) return
      received()
      await hold('processing')
      const transaction = await producer.transaction()
      try {
        const messages = batch.messages.map(({ key, value }) => ({ key, value }))
        await transaction.send({ topic: task.output, messages })
        const offset = String(BigInt(batch.lastOffset()) + 1n)
        const topics = [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }]
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
