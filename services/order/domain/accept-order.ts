import type { OrderCreated } from '@orderly/contracts'
import { decimalsOf, defaultCurrency } from './currency.ts'
import { toMinorUnits } from './money.ts'

/** What a shop asks for. It has been checked: at least one line, no SKU twice, every number within its bounds. */
export interface PlaceOrder {
  readonly userID: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  /** In major units with at most the decimals of the currency, as it was written. */
  readonly total: number
  /** An ISO 4217 code. */
  readonly currency?: string
  /** For how long the reserved stock is held for a confirmation. */
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
