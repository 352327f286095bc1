import { type OrderCreated, toRecord } from '@orderly/contracts'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection, type Topic } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import { type Demand, makeOrder } from './make-orders.ts'

const chunk = 5_000

export interface FillOptions {
  readonly topic: Topic<OrderCreated>
  /** Topic to write to; the name of `topic` by default. */
  readonly name?: string
  readonly records: number
  readonly firstIndex?: number
  readonly demand?: Demand
}

export async function fillTopic(connection: KafkaConnection, options: FillOptions): Promise<void> {
  const { topic, name = topic.name, records, firstIndex = 0, demand } = options
  const producer = await createProducer(connection, { maxBufferedRecords: chunk * 3, deliveryTimeoutMs: 60_000 })
  let sending: Promise<void> = Promise.resolve()
  try {
    for (let first = firstIndex; first < firstIndex + records; first += chunk) {
      const count = Math.min(chunk, firstIndex + records - first)
      const batch = Array.from({ length: count }, (_, index) => ({
        ...toRecord(topic, makeOrder(first + index, demand), newTraceparent()),
        topic: name
      }))
      await sending
      sending = producer.send(batch)
    }
    await sending
  } finally {
    await sending.catch(() => {})
    await producer.close()
  }
}

export function createBenchTopics(
  connection: KafkaConnection,
  names: readonly string[],
  partitions: number
): Promise<void> {
  const withDeadLetters = names.flatMap(name => [name, deadLetterTopic(name)])
  return createTopics(
    connection,
    withDeadLetters.map(name => ({ name, partitions, replicationFactor: 1 }))
  )
}
