import { createHash } from 'node:crypto'
import { ProblemError } from '@orderly/service-kit'
import type { OrderFilter } from '../store/order-store.ts'

/** Maximum length of a cursor, enough for the longest order id that fits into a Postgres index. */
export const maxCursorLength = 4_096

/**
 * Returns the cursor of the next page of a list. Callers return it unchanged. A cursor names the
 * last order that the previous page examined, so orders that are placed meanwhile do not shift the
 * pages. Its order id may be any text, because other producers can write to the topic.
 * @param list filter of the list, including the caller whose orders are listed
 */
export function toCursor(list: OrderFilter, lastOrderID: string): string {
  return Buffer.from(`1.${fingerprint(list)}.${lastOrderID}`).toString('base64url')
}

/**
 * Returns the order id before which the page begins.
 * @throws ProblemError 400 if the cursor belongs to another list
 */
export function fromCursor(list: OrderFilter, cursor: string): string {
  const [version, owner, ...orderID] = Buffer.from(cursor, 'base64url').toString().split('.')
  const lastOrderID = orderID.join('.')
  // Postgres accepts any text without a zero character.
  if (version !== '1' || owner !== fingerprint(list) || !/^[^\0]+$/.test(lastOrderID)) {
    const detail = 'The cursor was not issued for this list. Begin with the first page.'
    throw new ProblemError(400, 'INVALID_CURSOR', detail)
  }
  return lastOrderID
}

function fingerprint({ caller, userID, status, sku, fromMs, untilMs }: OrderFilter): string {
  const filter = [caller, userID, status, sku, fromMs, untilMs].map(value => value ?? null)
  return createHash('sha256').update(JSON.stringify(filter)).digest('base64url').slice(0, 8)
}
