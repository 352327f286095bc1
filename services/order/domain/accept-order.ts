import { defaultsOf, type OrderCreated, orderCreatedSchemas } from '@orderly/contracts'
import { decimalsOf, defaultCurrency, toMinorUnits } from './money.ts'
import type { PlainFields } from './order-change.ts'

/**
 * A validated order request: at least one line, no duplicate SKU, every number within its limits.
 */
export interface PlaceOrder extends Partial<PlainFields> {
  readonly userID: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  /** Amount in major units as requested, with at most the decimals of the currency. */
  readonly total: number
  /** ISO 4217 code. */
  readonly currency?: string
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

const defaults: Partial<OrderCreated> = defaultsOf(orderCreatedSchemas)

/**
 * Returns the content of an order as canonical text, the input of its fingerprint. Two requests
 * have the same text if and only if they request the same order. Irrelevant are white space, the
 * order of fields and lines, the notation of numbers (`2.5`, `2.50`) and whether the default
 * currency is named. A field that has its default is omitted, so that a new field does not change
 * the texts of orders without it.
 */
export function canonicalize(order: OrderCreated): string {
  const { orderID: _, createdAtMs: __, userID, items, totalMinor, currency, ...others } = order
  const lines = items.map(({ sku, quantity }) => [sku, quantity] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = (Object.keys(others) as (keyof typeof others)[]).filter(name => others[name] !== defaults[name]).sort()
  return JSON.stringify(['order', 1, userID, totalMinor, currency, lines, ...names.map(name => [name, others[name]])])
}
