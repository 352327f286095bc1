import type { OrderEvent, RecordedRecord, SettlementRow } from '../history/history.ts'
import { type Evidence, placeOf } from './evidence.ts'

/** What has to become of a reserved order, as the log has it, and the records that make it so. */
export interface Expected {
  readonly confirmed?: RecordedRecord
  readonly released?: RecordedRecord
  readonly cause?: NonNullable<SettlementRow['cause']>
}

/** The changes of an order that were not parked, in the sequence of the log: all of them lie in one partition. */
export function changesOf({ changesByID, deadLettersByOrigin }: Evidence, orderID: string): readonly RecordedRecord[] {
  return (changesByID.get(orderID) ?? []).filter(record => !deadLettersByOrigin.has(placeOf(record)))
}

/**
 * A reserved order and what was asked of it, replayed: the first that ends it, ends it. An outcome that came after some of its
 * changes makes no difference here, as nobody confirms an order before it is reserved, and no hold ends before that.
 */
export function replayChanges(changes: readonly RecordedRecord[], holdUntilMs: number | null): Expected {
  let confirmed: RecordedRecord | undefined
  for (const record of changes) {
    const { change, requestedAtMs = 0 } = record.event as OrderEvent
    const isHeld = holdUntilMs !== null && confirmed === undefined
    const before = confirmed && { confirmed }
    if (change === 'cancel') return { ...before, released: record, cause: 'cancelled' }
    if (change === 'confirm' && isHeld) confirmed = record
    if (change === 'expire' && isHeld && holdUntilMs <= requestedAtMs) {
      return { ...before, released: record, cause: 'expired' }
    }
  }
  return confirmed === undefined ? {} : { confirmed }
}
