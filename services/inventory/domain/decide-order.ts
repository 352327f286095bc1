import { failureReasons, type InventoryFailed, type InventoryReserved, type Shortage } from '@orderly/contracts'
import { type HeldPieces, type HoldLimits, holderOf, limitOf } from './hold-limits.ts'
import { demandOf, type OrderToDecide } from './order.ts'

/**
 * Outcome of an order. It includes the caller, so that all events of the order have the same record
 * key.
 */
export type Outcome = { readonly caller?: string | undefined } & (
  | { readonly kind: 'reserved'; readonly event: InventoryReserved }
  | { readonly kind: 'failed'; readonly event: InventoryFailed }
)

/** Time and sequence numbers of the decisions in a batch. */
export interface Stamp {
  readonly atMs: number
  /**
   * Returns the sequence number of the next decision. The numbers of each SKU rise across batches
   * and instances, because the store draws them while it holds the locks on the SKU rows.
   */
  nextSequence(): number
}

/** Limits on holds, and the pieces that callers with a limit already hold. */
export interface Holding {
  readonly limits: HoldLimits
  readonly held: HeldPieces
}

/**
 * Decides one order, which is reserved completely or not at all. An order that exceeds a hold limit
 * fails.
 *
 * @param available pieces by SKU; a missing SKU is unknown
 */
export function decideOrder(
  { orderID, userID, caller, items, holdSeconds = null }: OrderToDecide,
  available: ReadonlyMap<string, number>,
  { limits, held }: Holding,
  stamp: Stamp
): Outcome {
  const owner = caller === undefined ? {} : { caller }
  const decided = { decidedAtMs: stamp.atMs, sequence: stamp.nextSequence() }
  const shortages: Shortage[] = []
  const fail = (reason: string): Outcome => {
    return { ...owner, kind: 'failed', event: { orderID, userID, reason, shortages, ...decided } }
  }
  const holder = holderOf({ caller })
  if (holdSeconds !== null && holdSeconds > (limitOf(limits.seconds, holder) ?? holdSeconds)) {
    return fail(failureReasons.holdTooLong)
  }
  const demand = demandOf(items)
  for (const [sku, requested] of demand) {
    const left = available.get(sku)
    if (left === undefined) shortages.push({ sku, requested, available: 0, reason: failureReasons.unknownSKU })
    else if (requested > left) shortages.push({ sku, requested, available: left, reason: failureReasons.outOfStock })
  }
  if (shortages.length > 0) return fail(reasonOf(shortages))
  if (holdSeconds === null) {
    return { ...owner, kind: 'reserved', event: { orderID, userID, items, ...decided, holdUntilMs: null } }
  }
  const pieces = [...demand.values()].reduce((sum, quantity) => sum + quantity, held.get(holder) ?? 0)
  if (pieces > (limitOf(limits.quantity, holder) ?? pieces)) return fail(failureReasons.heldTooMuch)
  const holdUntilMs = stamp.atMs + holdSeconds * 1_000
  return { ...owner, kind: 'reserved', event: { orderID, userID, items, ...decided, holdUntilMs } }
}

/**
 * Returns `UNKNOWN_SKU` in preference to `OUT_OF_STOCK`: restocking cannot make such an order
 * succeed.
 */
function reasonOf(shortages: readonly Shortage[]): string {
  const hasUnknown = shortages.some(({ reason }) => reason === failureReasons.unknownSKU)
  return hasUnknown ? failureReasons.unknownSKU : failureReasons.outOfStock
}
