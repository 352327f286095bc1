import type { OrderCreated } from '@orderly/contracts'
import { decimalsOf, defaultCurrency } from './currency.ts'
import { toMinorUnits } from './money.ts'

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
