import type { ChangeToDecide } from './change.ts'
import { type Holding, type Outcome, unlimitedHolding } from './decide.ts'
import { type DecidedChange, decideChanges, type OrderState, type Settlement } from './decide-changes.ts'
import { type DecidedOrder, decideOnce } from './decide-once.ts'
import { type HeldPieces, holderOf } from './hold-limits.ts'
import type { OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

export interface Batch {
  readonly orders: readonly OrderToDecide[]
  readonly changes: readonly ChangeToDecide[]
}

export interface DecidedBatch {
  /** One result per order of the batch, in the same sequence. */
  readonly orders: readonly DecidedOrder[]
  /** One result per change of the batch, in the same sequence. */
  readonly changes: readonly DecidedChange[]
}

/** State changes of a batch, which the store must persist. */
export interface Fresh {
  readonly settlements: readonly Settlement[]
  readonly outcomes: readonly Outcome[]
  /**
   * Pieces that move from available to reserved, by SKU; negative if the batch releases more than
   * it reserves.
   */
  readonly moved: ReadonlyMap<string, number>
}

/**
 * Decides the changes first, then the orders. Orders can therefore reserve stock that the same
 * batch releases, and a cancel always precedes an order of its batch.
 */
export function decideBatch(
  known: ReadonlyMap<string, OrderState>,
  available: ReadonlyMap<string, number>,
  { orders, changes }: Batch,
  stamp: Stamp,
  { limits, held }: Holding = unlimitedHolding
): DecidedBatch & { readonly fresh: Fresh } {
  const { decided, outcomes, settlements } = decideChanges(known, changes, stamp)
  const remembered = new Map([...known].map(([orderID, { outcome }]) => [orderID, outcome]))
  for (const outcome of outcomes) remembered.set(outcome.event.orderID, outcome)

  const returned = new Map<string, number>()
  for (const { kind, event } of settlements) {
    if (kind === 'confirmed') continue
    for (const { sku, quantity } of event.items) returned.set(sku, (returned.get(sku) ?? 0) + quantity)
  }
  const left = returned.size === 0 ? available : add(available, returned)
  const { decided: decidedOrders, fresh } = decideOnce(remembered, left, orders, stamp, {
    limits,
    held: withoutEnded(held, settlements, known)
  })
  const moved = new Map(fresh.taken)
  for (const [sku, pieces] of returned) moved.set(sku, (moved.get(sku) ?? 0) - pieces)
  return {
    orders: decidedOrders,
    changes: decided,
    fresh: { settlements, outcomes: [...outcomes, ...fresh.outcomes], moved }
  }
}

/** Returns the held pieces without the holds that the settlements ended. */
function withoutEnded(
  held: HeldPieces,
  settlements: readonly Settlement[],
  known: ReadonlyMap<string, OrderState>
): HeldPieces {
  if (held.size === 0 || settlements.length === 0) return held
  const left = new Map(held)
  const ended = new Set<string>()
  for (const { event } of settlements) {
    const { outcome, confirmed, released } = known.get(event.orderID) ?? {}
    const wasHeld = outcome?.kind === 'reserved' && outcome.event.holdUntilMs !== null && !confirmed && !released
    if (!wasHeld || ended.has(event.orderID)) continue
    ended.add(event.orderID)
    const pieces = left.get(holderOf(outcome))
    if (pieces === undefined) continue
    left.set(
      holderOf(outcome),
      event.items.reduce((sum, { quantity }) => sum - quantity, pieces)
    )
  }
  return left
}

function add(pieces: ReadonlyMap<string, number>, more: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const sum = new Map(pieces)
  for (const [sku, count] of more) sum.set(sku, (sum.get(sku) ?? 0) + count)
  return sum
}
