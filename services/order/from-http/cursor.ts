import { createHash } from 'node:crypto'
import { type RecordOwner, recordKey } from '@orderly/contracts'
import { ProblemError } from '@orderly/service-kit'

/** Size of a cursor for the longest order id that Postgres can have in an index, which is the longest that is listed. */
export const maxCursorLength = 4_096

/**
 * Returns the cursor of the next page of a user's orders. Callers send it back as it is. A cursor names the last order of
 * the page before, so orders that are placed in the meantime do not shift the pages. Its order id may be any text, since
 * other producers can write to the topic.
 * @param list the user, and the caller whose orders are listed; without a caller those of all callers
 */
export function toCursor(list: RecordOwner, lastOrderID: string): string {
  return Buffer.from(`1.${fingerprint(list)}.${lastOrderID}`).toString('base64url')
}

/** @throws ProblemError 400 when the cursor was issued for another list */
export function fromCursor(list: RecordOwner, cursor: string): string {
  const [version, owner, ...orderID] = Buffer.from(cursor, 'base64url').toString().split('.')
  const lastOrderID = orderID.join('.')
  // Postgres accepts every text but one with a zero character.
  if (version !== '1' || owner !== fingerprint(list) || !/^[^\0]+$/.test(lastOrderID)) {
    throw new ProblemError(400, 'INVALID_CURSOR', 'The cursor was not given out for orders of this user.')
  }
  return lastOrderID
}

function fingerprint(list: RecordOwner): string {
  return createHash('sha256').update(recordKey(list)).digest('base64url').slice(0, 8)
}
