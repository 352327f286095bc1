import { createHash } from 'node:crypto'
import { type RecordOwner, recordKey } from '@orderly/contracts'
import { ProblemError } from '@orderly/service-kit'

/** Maximum length of a cursor, enough for the longest order id that fits into a Postgres index. */
export const maxCursorLength = 4_096

/**
 * Returns the cursor of the next page of a user's orders. Callers return it unchanged. A cursor
 * names the last order of the previous page, so orders that are placed meanwhile do not shift the
 * pages. Its order id may be any text, because other producers can write to the topic.
 * @param list the user, and the caller whose orders are listed; without a caller those of all
 * callers
 */
export function toCursor(list: RecordOwner, lastOrderID: string): string {
  return Buffer.from(`1.${fingerprint(list)}.${lastOrderID}`).toString('base64url')
}

/**
 * Returns the last order id of the previous page.
 * @throws ProblemError 400 if the cursor belongs to another list
 */
export function fromCursor(list: RecordOwner, cursor: string): string {
  const [version, owner, ...orderID] = Buffer.from(cursor, 'base64url').toString().split('.')
  const lastOrderID = orderID.join('.')
  // Postgres accepts any text without a zero character.
  if (version !== '1' || owner !== fingerprint(list) || !/^[^\0]+$/.test(lastOrderID)) {
    const detail = 'The cursor was not issued for orders of this user. Begin with the first page.'
    throw new ProblemError(400, 'INVALID_CURSOR', detail)
  }
  return lastOrderID
}

function fingerprint(list: RecordOwner): string {
  return createHash('sha256').update(recordKey(list)).digest('base64url').slice(0, 8)
}
