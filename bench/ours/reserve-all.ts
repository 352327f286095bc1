import { type OrderCreated, type Topics, toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'

/** The transformation of the benchmark: every order becomes a reservation, as if there were always stock. The peers do the same. */
export function reserveAll(
  { inventoryReserved }: Pick<Topics, 'inventoryReserved'>,
  { orderID, userID, items, createdAtMs }: OrderCreated,
  traceparent: string | undefined,
  output: string
): OutputRecord {
  // With the time of the order as that of the decision, all contestants write the same bytes.
  const event = { orderID, userID, items, decidedAtMs: createdAtMs, holdUntilMs: null }
  const record = toRecord(inventoryReserved, event, childTraceparent(traceparent))
  return { ...record, topic: output }
}
