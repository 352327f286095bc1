import type { OrderCreated } from '@orderly/contracts'

/**
 * Returns the content of an order as canonical text, the input of its fingerprint. Two requests
 * have the same text if and only if they request the same order. Irrelevant are white space, the
 * order of fields and lines, the notation of numbers (`2.5`, `2.50`) and whether the default
 * currency is named.
 */
export function canonicalize({
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
