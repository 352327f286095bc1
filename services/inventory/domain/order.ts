import { keySeparator, type OrderCreated } from '@orderly/contracts'

/** The fields of an order that its decision uses. */
export type OrderToDecide = Pick<OrderCreated, 'orderID' | 'userID' | 'items'> &
  Partial<Pick<OrderCreated, 'holdSeconds'>> & {
    /** The caller that placed the order, from the header of its record. */
    readonly caller?: string | undefined
  }

/**
 * Error for an order that violates its contract. A negative quantity, for example, would create
 * stock.
 */
export class InvalidOrderError extends Error {
  readonly code = 'ORDER_INVALID'
  readonly retryable = false

  constructor(orderID: string, problem: string) {
    super(`invalid order ${JSON.stringify(orderID)}: ${problem}`)
    this.name = 'InvalidOrderError'
  }
}

/** Validates the rules that the event schema cannot express. @throws InvalidOrderError */
export function checkOrder(order: OrderToDecide): void {
  const { orderID, userID, caller, items, holdSeconds = null } = order
  const refuse = (problem: string): never => {
    throw new InvalidOrderError(orderID, problem)
  }
  if (!isStorable(orderID)) refuse('its orderID is empty or contains a NUL character')
  if (!isOwnerName(userID)) refuse('its userID is empty, or contains a NUL character or U+001F')
  if (caller !== undefined && !isOwnerName(caller)) refuse('its caller is empty, or contains a NUL character or U+001F')
  if (items.length === 0) refuse('it has no items')
  for (const { sku, quantity } of items) {
    if (!isStorable(sku)) refuse('a SKU is empty or contains a NUL character')
    if (!Number.isSafeInteger(quantity) || quantity < 1)
      refuse(`a quantity must be a positive integer (got ${quantity})`)
  }
  if (holdSeconds !== null && !(holdSeconds > 0)) refuse(`holdSeconds must be positive (got ${holdSeconds})`)
}

/** Returns the total quantity of each SKU, in the sequence in which the SKUs first appear. */
export function demandOf(items: OrderToDecide['items']): ReadonlyMap<string, number> {
  const demand = new Map<string, number>()
  for (const { sku, quantity } of items) demand.set(sku, (demand.get(sku) ?? 0) + quantity)
  return demand
}

/** Returns whether the text can be part of a record key. */
export function isOwnerName(text: string): boolean {
  return isStorable(text) && !text.includes(keySeparator)
}

/**
 * Returns whether the text can be stored as an identifier: not empty, and without NUL, which
 * Postgres rejects.
 */
export function isStorable(text: string): boolean {
  return text !== '' && !text.includes('\0')
}
