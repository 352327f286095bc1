import { createHash } from 'node:crypto'
import { ProblemError } from '@orderly/service-kit'

/**
 * Where the next page of a user's orders begins. Opaque to callers, who hand it back as it is. It names the last order of the
 * page before, not how many came before, so orders that are placed meanwhile move nothing.
 */
export function toCursor(userID: string, lastOrderID: string): string {
  return Buffer.from(`1.${fingerprint(userID)}.${lastOrderID}`).toString('base64url')
}

/** @throws ProblemError 400 when it was not given out for this user */
export function fromCursor(userID: string, cursor: string): string {
  const [version, owner, ...orderID] = Buffer.from(cursor, 'base64url').toString().split('.')
  const lastOrderID = orderID.join('.')
  if (version !== '1' || owner !== fingerprint(userID) || !/^[\x21-\x7e]{1,64}$/.test(lastOrderID)) {
    throw new ProblemError(400, 'INVALID_CURSOR', 'The cursor was not given out for orders of this user.')
  }
  return lastOrderID
}

function fingerprint(userID: string): string {
  return createHash('sha256').update(userID).digest('base64url').slice(0, 8)
}
