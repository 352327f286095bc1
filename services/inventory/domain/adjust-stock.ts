/** What becomes of an adjustment by a number of pieces. */
export type Adjustment =
  | { readonly kind: 'adjusted'; readonly available: number }
  /** A slip of the pen must not make a SKU: it is set first. */
  | { readonly kind: 'unknown-sku' }
  /** More would go than there are. */
  | { readonly kind: 'too-few'; readonly available: number }
  /** More than can be counted exactly. */
  | { readonly kind: 'too-many'; readonly available: number }

/** @param available undefined for a SKU that is not known */
export function adjustStock(available: number | undefined, delta: number): Adjustment {
  if (available === undefined) return { kind: 'unknown-sku' }
  const left = available + delta
  if (left < 0) return { kind: 'too-few', available }
  if (!Number.isSafeInteger(left)) return { kind: 'too-many', available }
  return { kind: 'adjusted', available: left }
}
