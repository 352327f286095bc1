import { failureReasons, type InventoryFailed, type InventoryReserved, type Shortage } from '@orderly/contracts'
import { type HeldPieces, type HoldLimits, holderOf, limitOf, noHoldLimits } from './hold-limits.ts'
import { demandOf, type OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

/** The final decision about an order. It keeps the caller, so that every event about the order has the same record key. */
export type Outcome = { readonly caller?: string | undefined } & (
  | { readonly kind: 'reserved'; readonly event: InventoryReserved }
  | { readonly kind: 'failed'; readonly event: InventoryFailed }
)

/** The limits on holds, and what callers with a limit hold already. */
export interface Holding {
  readonly limits: HoldLimits
  readonly held: HeldPieces
}

export const unlimitedHolding: Holding = { limits: noHoldLimits, held: new Map() }

export interface Decision {
  /** One for each order, in the same order. */
  readonly outcomes: readonly Outcome[]
  /** By SKU: how many pieces move from available to reserved. */
  readonly taken: ReadonlyMap<string, number>
}

/**
 * Decides orders in their sequence: each finds what those before it left, and is reserved whole or not at all. An order that
 * exceeds a limit on holds fails for that reason, and takes nothing.
 *
 * @param available pieces by SKU; a SKU that is missing is not kept in stock
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

/** An unknown SKU is named first: no delivery of stock would let the same order succeed. */
function reasonOf(shortages: readonly Shortage[]): string {
  const hasUnknown = shortages.some(({ reason }) => reason === failureReasons.unknownSKU)
  return hasUnknown ? failureReasons.unknownSKU : failureReasons.outOfStock
}
