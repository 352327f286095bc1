/** The transactions of @platformatic/kafka: one for all records that are buffered. */
import { Consumer, FetchIsolationLevels, Producer } from '@platformatic/kafka'
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

const base = { clientId: 'comparison', bootstrapBrokers: task.brokers }
const consumer = new Consumer({
  ...base,
  groupId: task.group,
  autocommit: false,
  isolationLevel: FetchIsolationLevels.READ_COMMITTED,
  sessionTimeout: sessionTimeoutMs,
  rebalanceTimeout: rebalanceTimeoutMs,
  heartbeatInterval: 500,
  maxWaitTime: 500
})
consumer.on('consumer:group:join', () => report({ event: 'joined' }))
const stream = await consumer.consume({ topics: [task.input], mode: 'committed', fallbackMode: 'earliest' })
const maxBatch = 1_000

if (task.mode === 'read') {
  for await (const { value } of stream) report({ event: 'value', value: String(value) })
} else {
  const producer = new Producer({
    ...base,
    idempotent: true,
    transactionalId: task.transactionalID,
    // The client sends this as the transaction timeout.
    timeout: transactionTimeoutMs,
    // Without these, it asks for producer 0, and the broker refuses a transactional id that it knows.
    producerId: -1n,
    producerEpoch: -1,
    // By default it waits a second if the former transaction is not yet complete.
    retries: 100,
    retryDelay: 5
  })
  let batch = []
  for await (const message of stream) {
    batch.push(message)
    if (stream.readableLength > 0 && batch.length < maxBatch) continue
    await commit(producer, batch).catch(fail)
    batch = []
  }
}

async function commit(producer, records) {
  await hold('processing')
  const transaction = await producer.beginTransaction()
  try {
    await transaction.addConsumer(consumer)
    await transaction.send({ messages: records.map(({ key, value }) => ({ topic: task.output, key, value })) })
    const last = new Map(records.map(message => [message.partition, message]))
    for (const message of last.values()) await transaction.addOffset(message)
    await hold('before-commit')
    await transaction.commit()
    committed(records.map(({ timestamp }) => timestamp))
  } catch (error) {
    await transaction.abort().catch(() => {})
    throw error
  }
}
