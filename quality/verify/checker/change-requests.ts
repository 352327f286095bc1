import type { OrderEvent, RecordedRecord, SettlementRow } from '../history/history.ts'
import { type Evidence, positionKey } from './evidence.ts'

/**
 * Expected settlements of a reserved order according to the log, with the causing change requests.
 */
export interface Expected {
  readonly confirmed?: RecordedRecord
  readonly released?: RecordedRecord
  readonly cause?: NonNullable<SettlementRow['cause']>
}

/**
 * Returns the change requests of an order without dead letters, in log order (they share a
 * partition).
 */
export function changesOf({ changesByID, deadLettersByOrigin }: Evidence, orderID: string): readonly RecordedRecord[] {
  return (changesByID.get(orderID) ?? []).filter(record => !deadLettersByOrigin.has(positionKey(record)))
}

/**
 * Replays the change requests of a reserved order: the first release that applies is final.
 * Requests that precede the outcome need no special case, since no client confirms an order before
 * it is reserved and no hold ends before that.
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
