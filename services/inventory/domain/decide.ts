import { failureReasons, type InventoryFailed, type InventoryReserved, type Shortage } from '@orderly/contracts'
import { type HeldPieces, type HoldLimits, holderOf, limitOf, noHoldLimits } from './hold-limits.ts'
import { demandOf, type OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

/**
 * Outcome of an order. It includes the caller, so that all events of the order have the same record
 * key.
 */
export type Outcome = { readonly caller?: string | undefined } & (
  | { readonly kind: 'reserved'; readonly event: InventoryReserved }
  | { readonly kind: 'failed'; readonly event: InventoryFailed }
)

/** Limits on holds, and the pieces that callers with a limit already hold. */
export interface Holding {
  readonly limits: HoldLimits
  readonly held: HeldPieces
}

export const unlimitedHolding: Holding = { limits: noHoldLimits, held: new Map() }

export interface Decision {
  /** One outcome per order, in the same sequence. */
  readonly outcomes: readonly Outcome[]
  /** Pieces that move from available to reserved, by SKU. */
  readonly taken: ReadonlyMap<string, number>
}

/**
 * Decides orders in sequence. Each sees the stock that preceding orders left, and is reserved
 * completely or not at all. An order that exceeds a hold limit fails and reserves nothing.
 *
 * @param available pieces by SKU; a missing SKU is unknown
 */
export function decide(
  available: ReadonlyMap<string, number>,
  orders: readonly OrderToDecide[],
  stamp: Stamp,
  { limits, held: heldBefore }: Holding = unlimitedHolding
): Decision {
  const taken = new Map<string, number>()
  const held = new Map(heldBefore)
  const outcomes = orders.map(({ orderID, userID, caller, items, holdSeconds = null }): Outcome => {
    const owner = caller === undefined ? {} : { caller }
    const demand = demandOf(items)
    const decided = { decidedAtMs: stamp.atMs, sequence: stamp.nextSequence() }
    const shortages: Shortage[] = []
    const fail = (reason: string): Outcome => {
      return { ...owner, kind: 'failed', event: { orderID, userID, reason, shortages, ...decided } }
    }
    const holder = holderOf({ caller })
    if (holdSeconds !== null && holdSeconds > (limitOf(limits.seconds, holder) ?? holdSeconds)) {
      return fail(failureReasons.holdTooLong)
    }
    for (const [sku, requested] of demand) {
      const stocked = available.get(sku)
      if (stocked === undefined) {
        shortages.push({ sku, requested, available: 0, reason: failureReasons.unknownSKU })
        continue
      }
      const left = stocked - (taken.get(sku) ?? 0)
      if (requested > left) shortages.push({ sku, requested, available: left, reason: failureReasons.outOfStock })
    }
    if (shortages.length > 0) return fail(reasonOf(shortages))
    if (holdSeconds !== null) {
      const pieces = [...demand.values()].reduce((sum, quantity) => sum + quantity, held.get(holder) ?? 0)
      if (pieces > (limitOf(limits.quantity, holder) ?? pieces)) return fail(failureReasons.heldTooMuch)
      held.set(holder, pieces)
    }
    for (const [sku, quantity] of demand) taken.set(sku, (taken.get(sku) ?? 0) + quantity)
    const holdUntilMs = holdSeconds === null ? null : stamp.atMs + holdSeconds * 1_000
    return { ...owner, kind: 'reserved', event: { orderID, userID, items, ...decided, holdUntilMs } }
  })
  return { outcomes, taken }
}

/**
 * Returns `UNKNOWN_SKU` in preference to `OUT_OF_STOCK`: restocking cannot make such an order
 * succeed.
 */
function reasonOf(shortages: readonly Shortage[]): string {
  const hasUnknown = shortages.some(({ reason }) => reason === failureReasons.unknownSKU)
  return hasUnknown ? failureReasons.unknownSKU : failureReasons.outOfStock
}
