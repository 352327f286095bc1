import { keySeparator, type OrderCreated } from '@orderly/contracts'

/** What the decision needs of an order. */
export type OrderToDecide = Pick<OrderCreated, 'orderID' | 'userID' | 'items'> &
  Partial<Pick<OrderCreated, 'holdSeconds'>> & {
    /** The caller that placed the order, from the header of its record. */
    readonly caller?: string | undefined
  }

/** The order contradicts its contract. A negative quantity, for one, would create stock. */
export class InvalidOrderError extends Error {
  readonly code = 'ORDER_INVALID'
  readonly retryable = false

  constructor(orderID: string, problem: string) {
    super(`order ${JSON.stringify(orderID)} cannot be decided: ${problem}`)
    this.name = 'InvalidOrderError'
  }
}

/** Checks what the schema of the event cannot express. @throws InvalidOrderError */
export function checkOrder(order: OrderToDecide): void {
  const { orderID, userID, caller, items, holdSeconds = null } = order
  const refuse = (problem: string): never => {
    throw new InvalidOrderError(orderID, problem)
  }
  if (!isStorable(orderID)) refuse('its orderID is empty or holds a NUL character')
  if (!isOwnerName(userID)) refuse('its userID is empty, or contains a NUL character or U+001F')
  if (caller !== undefined && !isOwnerName(caller)) refuse('its caller is empty, or contains a NUL character or U+001F')
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

/** Returns whether the text can be a part of a record key. */
export function isOwnerName(text: string): boolean {
  return isStorable(text) && !text.includes(keySeparator)
}

/** Returns whether Postgres can store the text as an identifier: not empty, and without NUL. */
export function isStorable(text: string): boolean {
  return text !== '' && !text.includes('\0')
}
