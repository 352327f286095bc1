import type { Topics } from '@orderly/contracts'
import { Consumer, type Message, MessagesStreamModes, Producer } from '@platformatic/kafka'
import { connectLocalTopics } from '../orders/local-topics.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks, createStopwatch } from './answer-tasks.ts'
import { reserveAll } from './reserve-all.ts'

const topics = await connectLocalTopics()

/**
 * Runs the loop that is natural with the client alone: fast, but not exactly once (see
 * packages/kafka/client-defects). The difference to our stage is the cost of correctness.
 */
await answerTasks(async (task: Task) => {
  const { brokers, input, output, group, records, batch } = task as {
    brokers: string
    input: string
    output: string
    group: string
    records: number
    batch: number
  }
  const base = { clientId: 'bench', bootstrapBrokers: [brokers] }
  const consumer = new Consumer({ ...base, groupId: group, autocommit: false })
  const producer = new Producer({ ...base, idempotent: true, transactionalId: group, retries: 1_000, retryDelay: 2 })
  const stream = await consumer.consume({ topics: [input], mode: MessagesStreamModes.EARLIEST, autocommit: false })
  const reserved = { ...topics.inventoryReserved, name: output }
  const stopwatch = createStopwatch()
  let waiting: Message<Buffer, Buffer, Buffer, Buffer>[] = []
  let committed = 0
  let commits = 0
  for await (const message of stream) {
    stopwatch.startOnce()
    waiting.push(message)
    if (waiting.length < batch && committed + waiting.length < records) continue
    const transaction = await producer.beginTransaction()
    await transaction.addConsumer(consumer)
    await topics.ordersCreated.codec.prepare(waiting.map(({ value }) => value))
    await transaction.send({ messages: waiting.map(message => transform(message, reserved)) })
    const last = new Map(waiting.map(message => [message.partition, message]))
    for (const message of last.values()) await transaction.addOffset(message)
    await transaction.commit()
    committed += waiting.length
    commits++
    waiting = []
    if (committed === records) break
  }
  const work = stopwatch.stop()
  await consumer.close(true)
  await producer.close()
  return { ...work, commits }
})

function transform(
  { key, value, headers }: Message<Buffer, Buffer, Buffer, Buffer>,
  reserved: Topics['inventoryReserved']
) {
  let traceparent: string | undefined
  for (const [name, content] of headers) if (name.toString() === 'traceparent') traceparent = content.toString()
  const record = reserveAll(reserved, topics.ordersCreated.codec.decode(value), traceparent)
  return {
    topic: reserved.name,
    key,
    value: record.value as Buffer,
    headers: new Map(Object.entries(record.headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]))
  }
}
