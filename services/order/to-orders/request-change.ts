import { type OrderChangeRequested, toRecord } from '@orderly/contracts'
import type { Producer, Topic } from '@orderly/kafka'

/**
 * Resolves when all in-sync replicas have the request. The same may be asked again: what it asks for happens once.
 * @throws KafkaError as PublishOrder does
 */
export type RequestChange = (change: OrderChangeRequested, traceparent: string) => Promise<void>

export function requestChanges(
  producer: Pick<Producer, 'send'>,
  ordersChanges: Topic<OrderChangeRequested>
): RequestChange {
  return async (change, traceparent) =>
    producer.send([toRecord(ordersChanges, change, traceparent, `${change.orderID}-${change.change}`)])
}
