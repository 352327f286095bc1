/** The loop with the API of kafkajs that Confluent's client offers, on librdkafka. */
import { KafkaJS } from '@confluentinc/kafka-javascript'
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

const kafka = new KafkaJS.Kafka({
  kafkaJS: { clientId: 'comparison', brokers: task.brokers, logLevel: KafkaJS.logLevel.NOTHING }
})
const consumer = kafka.consumer({
  kafkaJS: {
    groupId: task.group,
    fromBeginning: true,
    autoCommit: false,
    readUncommitted: false,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: 500
  },
  'js.consumer.max.batch.size': 1_000,
  rebalance_cb: ({ code }) => {
    if (code === KafkaJS.ErrorCodes.ERR__ASSIGN_PARTITIONS) report({ event: 'joined' })
  }
})

if (task.mode === 'read') {
  await consumer.connect()
  await consumer.subscribe({ topics: [task.input] })
  await consumer.run({ eachMessage: async ({ message }) => report({ event: 'value', value: String(message.value) }) })
} else {
  const producer = kafka.producer({
    kafkaJS: { transactionalId: task.transactionalID, transactionTimeout: transactionTimeoutMs, idempotent: true }
  })
  await producer.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [task.input] })
  await consumer.run({
    eachBatchAutoResolve: false,
    async eachBatch({ batch, resolveOffset, isStale }) {
      if (batch.messages.length === 0) return
      await hold('processing')
      const transaction = await producer.transaction()
      try {
        const messages = batch.messages.map(({ key, value }) => ({ key, value }))
        await transaction.send({ topic: task.output, messages })
        const offset = String(BigInt(batch.messages.at(-1).offset) + 1n)
        const topics = [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }]
        await transaction.sendOffsets({ consumer, topics })
        await hold('before-commit')
        if (isStale()) await transaction.abort()
        else {
          await transaction.commit()
          resolveOffset(batch.messages.at(-1).offset)
          committed(batch.messages.map(({ timestamp }) => timestamp))
        }
      } catch (error) {
        if (error.fatal || /fenc/i.test(error.message)) fail(error)
        await transaction.abort().catch(fail)
        throw error
      }
    }
  })
}
