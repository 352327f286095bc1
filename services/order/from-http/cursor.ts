import { createHash } from 'node:crypto'
import { ProblemError } from '@orderly/service-kit'

/** Size of a cursor for the longest order id that Postgres can have in an index, which is the longest that is listed. */
export const maxCursorLength = 4_096

/**
 * Returns where the next page of a user's orders begins. Callers pass it back as it is. A cursor names the last order of
 * the page before, so orders that are placed in the meantime do not shift the pages. Its order id may be any text, since
 * other producers can write to the topic.
 */
export function toCursor(userID: string, lastOrderID: string): string {
  return Buffer.from(`1.${fingerprint(userID)}.${lastOrderID}`).toString('base64url')
}

/** @throws ProblemError 400 when it was not given out for this user */
export function fromCursor(userID: string, cursor: string): string {
  const [version, owner, ...orderID] = Buffer.from(cursor, 'base64url').toString().split('.')
  const lastOrderID = orderID.join('.')
  // Postgres accepts every text but one with a zero character.
  if (version !== '1' || owner !== fingerprint(userID) || !/^[^\0]+$/.test(lastOrderID)) {
    throw new ProblemError(400, 'INVALID_CURSOR', 'The cursor was not given out for orders of this user.')
  }
  return lastOrderID
}

function fingerprint(userID: string): string {
  return createHash('sha256').update(userID).digest('base64url').slice(0, 8)
}
