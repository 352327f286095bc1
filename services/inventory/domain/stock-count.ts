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

/** Result of an adjustment. */
export type Adjustment =
  | { readonly kind: 'adjusted'; readonly available: number }
  /** A mistyped SKU must not create one: new SKUs are created by setting their stock. */
  | { readonly kind: 'unknown-sku' }
  /** The adjustment removes more pieces than are available. */
  | { readonly kind: 'too-few'; readonly available: number }
  /** The result exceeds the largest safe integer. */
  | { readonly kind: 'too-many'; readonly available: number }

/**
 * Adds `delta` to the available pieces, or refuses.
 * @param available undefined for an unknown SKU
 */
export function adjustStock(available: number | undefined, delta: number): Adjustment {
  if (available === undefined) return { kind: 'unknown-sku' }
  const left = available + delta
  if (left < 0) return { kind: 'too-few', available }
  if (!Number.isSafeInteger(left)) return { kind: 'too-many', available }
  return { kind: 'adjusted', available: left }
}
