import { changeName, type OrderChangeRequested, settlementName, type Topics, toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import type { Outcome } from '../domain/decide.ts'
import type { Settlement } from '../domain/decide-changes.ts'

type ResultTopics = Pick<Topics, 'inventoryReserved' | 'inventoryFailed' | 'inventoryConfirmed' | 'inventoryReleased'>

/** Creates the record of a result for the topic of its kind, with the record key of the order. */
export function resultRecord(topics: ResultTopics, result: Outcome | Settlement, traceparent: string): OutputRecord {
  const { caller } = result
  switch (result.kind) {
    case 'reserved':
      return toRecord(topics.inventoryReserved, result.event, traceparent, { caller })
    case 'failed':
      return toRecord(topics.inventoryFailed, result.event, traceparent, { caller })
    case 'confirmed':
      return toRecord(topics.inventoryConfirmed, result.event, traceparent, {
        about: settlementName(result.event),
        caller
      })
    case 'released':
      return toRecord(topics.inventoryReleased, result.event, traceparent, {
        about: settlementName(result.event),
        caller
      })
  }
}

/** Creates the record of an expiry request for the topic of change requests. */
export function expiryRecord(
  { ordersChanges }: Pick<Topics, 'ordersChanges'>,
  change: OrderChangeRequested,
  traceparent: string,
  caller: string | undefined
): OutputRecord {
  return toRecord(ordersChanges, change, traceparent, { about: changeName(change), caller })
}
