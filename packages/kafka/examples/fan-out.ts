/**
 * Example: writes to several topics for each record.
 *
 * All outputs of a batch are in one transaction, whatever their topics. A `read_committed` consumer
 * of one topic may see its part before a consumer of another one does, but no part is ever missing.
 */
import {
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type OutputRecord,
  type RunningStage,
  runStage,
  type Stage,
  type StageRecord,
  type Topic
} from '@orderly/kafka'

export interface Order {
  readonly id: string
  readonly address: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
}

export const orders: Topic<Order> = { name: 'fan-out.orders', eventType: 'Order', codec: jsonCodec<Order>() }
export const outputTopics = { shipping: 'fan-out.shipping', stock: 'fan-out.stock', audit: 'fan-out.audit' }

const json = jsonCodec()

const fanOut: Stage<Order> = {
  name: 'fan-out',
  group: 'fan-out',
  inputs: [orders],
  process: async records => records.flatMap(outputsOf)
}

function outputsOf({ key, event, topic, partition, offset }: StageRecord<Order>): OutputRecord[] {
  const { id, address, items } = event
  const output = (topic: string, key: string, value: unknown): OutputRecord => {
    return { topic, key, value: json.encode(value), headers: { 'order-id': id } }
  }
  return [
    output(outputTopics.shipping, key, { id, address }),
    // Another key: all movements of an article are in one partition, in order.
    ...items.map(({ sku, quantity }) => output(outputTopics.stock, sku, { id, sku, change: -quantity })),
    output(outputTopics.audit, key, { id, source: `${topic}/${partition}/${offset}` })
  ]
}

export function startFanOut(connection: KafkaConnection, logger: Logger): RunningStage {
  const ids = { transactionalID: 'fan-out-1', instanceID: 'fan-out-1' }
  return runStage(fanOut, { connection, ...ids, isTransient: () => false, logger })
}
