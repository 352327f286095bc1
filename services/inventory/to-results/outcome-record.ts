import { type Topics, toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import type { Outcome } from '../domain/decide.ts'

/** Each outcome to the topic of its kind, keyed by the user. */
export function outcomeRecord(
  { inventoryReserved, inventoryFailed }: Pick<Topics, 'inventoryReserved' | 'inventoryFailed'>,
  outcome: Outcome,
  traceparent: string
): OutputRecord {
  return outcome.kind === 'reserved'
    ? toRecord(inventoryReserved, outcome.event, traceparent)
    : toRecord(inventoryFailed, outcome.event, traceparent)
}
