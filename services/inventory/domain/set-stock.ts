/**
 * The stock of a SKU as an operator states it: the pieces that can be reserved, or the pieces on the shelf. The pieces of
 * reserved orders are still on the shelf, so a count of the shelf includes them.
 */
export type StockCount = { readonly available: number } | { readonly onHand: number }

/** @returns undefined when fewer pieces are on the shelf than reserved orders need */
export function availableFor(count: StockCount, reserved: number): number | undefined {
  if ('available' in count) return count.available
  return count.onHand < reserved ? undefined : count.onHand - reserved
}
