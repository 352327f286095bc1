import { changeName, type OrderChangeRequested, toRecord } from '@orderly/contracts'
import type { Producer, Topic } from '@orderly/kafka'

/**
 * Publishes a change request; resolves when all in-sync replicas have it. Repeating it with the
 * same id has no further effect.
 * @param caller the caller that placed the order, which may differ from the one that requests the
 * change
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
