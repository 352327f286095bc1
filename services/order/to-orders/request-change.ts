import { changeName, type OrderChangeRequested, toRecord } from '@orderly/contracts'
import type { Producer, Topic } from '@orderly/kafka'

/**
 * Resolves when all in-sync replicas have the request. It may be repeated with the same id: its effect happens once.
 * @param caller the caller that placed the order, which need not be the one that asks for the change
 * @throws KafkaError as PublishOrder does
 */
export type RequestChange = (
  change: OrderChangeRequested,
  traceparent: string,
  caller: string | undefined
) => Promise<void>

export function requestChanges(
  producer: Pick<Producer, 'send'>,
  ordersChanges: Topic<OrderChangeRequested>
): RequestChange {
  return async (change, traceparent, caller) =>
    producer.send([toRecord(ordersChanges, change, traceparent, { about: changeName(change), caller })])
}
