import type { ChangeToDecide } from './change.ts'
import type { Outcome } from './decide.ts'
import { type DecidedChange, decideChanges, type KnownOrder, type Settlement } from './decide-changes.ts'
import { type DecidedOrder, decideOnce } from './decide-once.ts'
import type { OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

export interface Batch {
  readonly orders: readonly OrderToDecide[]
  readonly changes: readonly ChangeToDecide[]
}

export interface DecidedBatch {
  /** One for each order, in the same order. */
  readonly orders: readonly DecidedOrder[]
  /** One for each change, in the same order. */
  readonly changes: readonly DecidedChange[]
}

/** What has to be remembered of a batch. */
export interface Fresh {
  readonly settlements: readonly Settlement[]
  readonly outcomes: readonly Outcome[]
  /** By SKU: how many pieces move from available to reserved; fewer than none where more is released than taken. */
  readonly moved: ReadonlyMap<string, number>
}

/**
 * Changes first, then orders: what is released in a batch can be had in it, and who cancels an order of the same batch finds it
 * undecided.
 */
export function decideBatch(
  known: ReadonlyMap<string, KnownOrder>,
  available: ReadonlyMap<string, number>,
  { orders, changes }: Batch,
  stamp: Stamp
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
  const { decided: decidedOrders, fresh } = decideOnce(remembered, left, orders, stamp)
  const moved = new Map(fresh.taken)
  for (const [sku, pieces] of returned) moved.set(sku, (moved.get(sku) ?? 0) - pieces)
  return {
    orders: decidedOrders,
    changes: decided,
    fresh: { settlements, outcomes: [...outcomes, ...fresh.outcomes], moved }
  }
}

function add(pieces: ReadonlyMap<string, number>, more: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const sum = new Map(pieces)
  for (const [sku, count] of more) sum.set(sku, (sum.get(sku) ?? 0) + count)
  return sum
}
