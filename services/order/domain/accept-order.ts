import type { OrderCreated } from '@orderly/contracts'
import { decimalsOf, defaultCurrency, toMinorUnits } from './money.ts'

/**
 * A validated order request: at least one line, no duplicate SKU, every number within its limits.
 */
export interface PlaceOrder {
  readonly userID: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  /** Amount in major units as requested, with at most the decimals of the currency. */
  readonly total: number
  /** ISO 4217 code. */
  readonly currency?: string
  /** Duration of the hold. An order without it has no hold. */
  readonly holdSeconds?: number
}

/** Returns the event of an order that is accepted with the given id and time. */
export function acceptOrder(command: PlaceOrder, given: { orderID: string; nowMs: number }): OrderCreated {
  const currency = command.currency ?? defaultCurrency
  return {
    orderID: given.orderID,
    userID: command.userID,
    items: command.items,
    totalMinor: toMinorUnits(command.total, decimalsOf(currency)),
    currency,
    holdSeconds: command.holdSeconds ?? null,
    createdAtMs: given.nowMs
  }
}

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
