/**
 * The stock of a SKU as an operator enters it: available pieces, or pieces on the shelf. `onHand`
 * includes the pieces of reserved orders, because they are still on the shelf.
 */
export type StockCount = { readonly available: number } | { readonly onHand: number }

/** Returns the available pieces for a count; undefined if `onHand` is below the reserved pieces. */
export function availableFor(count: StockCount, reserved: number): number | undefined {
  if ('available' in count) return count.available
  return count.onHand < reserved ? undefined : count.onHand - reserved
}
