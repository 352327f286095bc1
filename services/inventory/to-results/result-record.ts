import { type OrderChangeRequested, type Topics, toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import type { Outcome } from '../domain/decide.ts'
import type { Settlement } from '../domain/decide-changes.ts'

type ResultTopics = Pick<Topics, 'inventoryReserved' | 'inventoryFailed' | 'inventoryConfirmed' | 'inventoryReleased'>

/** Each result to the topic of its kind, keyed by the user. */
export function resultRecord(topics: ResultTopics, result: Outcome | Settlement, traceparent: string): OutputRecord {
  switch (result.kind) {
    case 'reserved':
      return toRecord(topics.inventoryReserved, result.event, traceparent)
    case 'failed':
      return toRecord(topics.inventoryFailed, result.event, traceparent)
    case 'confirmed':
      return toRecord(topics.inventoryConfirmed, result.event, traceparent)
    case 'released':
      return toRecord(topics.inventoryReleased, result.event, traceparent)
  }
}

/** What the inventory asks of itself, to the topic that others ask by. */
export function expiryRecord(
  { ordersChanges }: Pick<Topics, 'ordersChanges'>,
  change: OrderChangeRequested,
  traceparent: string
): OutputRecord {
  return toRecord(ordersChanges, change, traceparent, `${change.orderID}-${change.change}`)
}
