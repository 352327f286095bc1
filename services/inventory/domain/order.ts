import type { OrderCreated } from '@orderly/contracts'

/** What the decision needs of an order. */
export type OrderToDecide = Pick<OrderCreated, 'orderID' | 'userID' | 'items'> &
  Partial<Pick<OrderCreated, 'holdSeconds'>>

/** The order contradicts its contract. A negative quantity, for one, would create stock. */
export class InvalidOrderError extends Error {
  readonly code = 'ORDER_INVALID'
  readonly retryable = false

  constructor(orderID: string, problem: string) {
    super(`order ${JSON.stringify(orderID)} cannot be decided: ${problem}`)
    this.name = 'InvalidOrderError'
  }
}

/** @throws InvalidOrderError. The schema says the types; this says the rest, whoever wrote the record. */
export function checkOrder(order: OrderToDecide): void {
  const { orderID, userID, items, holdSeconds = null } = order
  const refuse = (problem: string): never => {
    throw new InvalidOrderError(orderID, problem)
  }
  if (!isStorable(orderID)) refuse('its orderID is empty or holds a NUL character')
  if (!isStorable(userID)) refuse('its userID is empty or holds a NUL character')
  if (items.length === 0) refuse('it has no items')
  for (const { sku, quantity } of items) {
    if (!isStorable(sku)) refuse('a SKU is empty or holds a NUL character')
    if (!Number.isSafeInteger(quantity) || quantity < 1) refuse(`the quantity ${quantity} is not a positive integer`)
  }
  if (holdSeconds !== null && !(holdSeconds > 0)) refuse(`a hold of ${holdSeconds} seconds has no end`)
}

/** How many pieces of each SKU, lines on the same SKU added up; in the order in which the SKUs first appear. */
export function demandOf(items: OrderToDecide['items']): ReadonlyMap<string, number> {
  const demand = new Map<string, number>()
  for (const { sku, quantity } of items) demand.set(sku, (demand.get(sku) ?? 0) + quantity)
  return demand
}

/** Postgres has no text with NUL in it. */
export function isStorable(text: string): boolean {
  return text !== '' && !text.includes('\0')
}
