import { type OrderCreated, toRecord } from '@orderly/contracts'
import type { Producer, Topic } from '@orderly/kafka'

/**
 * Publishes an order; resolves when all in-sync replicas have it. Concurrent orders share requests.
 * @throws KafkaError `PRODUCER_QUEUE_FULL` (not written), `DELIVERY_TIMEOUT` (outcome unknown)
 */
export type PublishOrder = (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>

export function publishOrders(producer: Pick<Producer, 'send'>, ordersCreated: Topic<OrderCreated>): PublishOrder {
  // `async` turns an error of the encoding into a rejection.
  return async (order, traceparent, caller) => producer.send([toRecord(ordersCreated, order, traceparent, { caller })])
}
