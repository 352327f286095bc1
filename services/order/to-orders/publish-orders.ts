import { type OrderCreated, toRecord } from '@orderly/contracts'
import type { Producer, Topic } from '@orderly/kafka'

/**
 * Resolves when all in-sync replicas have the order. Orders of requests that arrive together travel together.
 * @throws KafkaError `PRODUCER_QUEUE_FULL` (it was not written), `DELIVERY_TIMEOUT` (written or not: nobody knows)
 */
export type PublishOrder = (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>

export function publishOrders(producer: Pick<Producer, 'send'>, ordersCreated: Topic<OrderCreated>): PublishOrder {
  // Encoding may throw; async makes that a rejection like any other.
  return async (order, traceparent, caller) => producer.send([toRecord(ordersCreated, order, traceparent, { caller })])
}
