import type { OrderCreated } from '@orderly/contracts'

/**
 * What an order asks for, as one text: two requests have the same text if and only if they ask for the same. How they are
 * written does not matter: white space, the sequence of fields and of lines, `2.5` or `2.50`, a currency left out or named.
 */
export function meaningOf({
  userID,
  items,
  totalMinor,
  currency,
  holdSeconds
}: Omit<OrderCreated, 'orderID' | 'createdAtMs'>): string {
  const lines = items.map(({ sku, quantity }) => [sku, quantity] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  const hold = holdSeconds === null ? [] : [holdSeconds]
  return JSON.stringify(['order', 1, userID, totalMinor, currency, lines, ...hold])
}
