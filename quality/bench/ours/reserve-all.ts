import { type InventoryReserved, type OrderCreated, toRecord } from '@orderly/contracts'
import type { OutputRecord, Topic } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'

/** Turns an order into a reservation, as if there were always stock. The peers do the same. */
export function reserveAll(
  output: Topic<InventoryReserved>,
  { orderID, userID, items, createdAtMs }: OrderCreated,
  traceparent: string | undefined
): OutputRecord {
  // The time of the order serves as that of the decision, so that all contestants write the same
  // bytes.
  const event = { orderID, userID, items, decidedAtMs: createdAtMs, holdUntilMs: null, sequence: 1 }
  return toRecord(output, event, childTraceparent(traceparent))
}
