import type { ChangeToDecide } from './change.ts'
import { type DecidedChange, decideChange, isHeld, type OrderState, type Settlement } from './decide-change.ts'
import { decideOrder, type Holding, type Outcome, type Stamp } from './decide-order.ts'
import { holderOf, noHoldLimits } from './hold-limits.ts'
import type { OrderToDecide } from './order.ts'

export interface Batch {
  readonly orders: readonly OrderToDecide[]
  readonly changes: readonly ChangeToDecide[]
}

export interface DecidedOrder {
  readonly outcome: Outcome
  /** True if the order already had its outcome, so it reserves nothing now. */
  readonly isReplay: boolean
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

const unlimited: Holding = { limits: noHoldLimits, held: new Map() }

/**
 * Decides the changes in sequence, then the orders in sequence; each sees the effects of those
 * before it. Orders can therefore reserve stock that the same batch releases, and a cancel always
 * precedes an order of its batch. An order that was decided earlier, or is repeated in the batch,
 * gets the outcome that it has.
 *
 * @param known state of the decided orders of the batch
 * @param available pieces by SKU; a missing SKU is unknown
 */
export function decideBatch(
  known: ReadonlyMap<string, OrderState>,
  available: ReadonlyMap<string, number>,
  { orders, changes }: Batch,
  stamp: Stamp,
  { limits, held: heldBefore }: Holding = unlimited
): DecidedBatch & { readonly fresh: Fresh } {
  const states = new Map(known)
  const left = new Map(available)
  const held = new Map(heldBefore)
  const moved = new Map<string, number>()
  const outcomes: Outcome[] = []
  const settlements: Settlement[] = []

  /** Moves pieces from available to reserved; back if `sign` is -1. */
  function move(items: Items, sign: 1 | -1): void {
    for (const { sku, quantity } of items) {
      left.set(sku, (left.get(sku) ?? 0) - sign * quantity)
      moved.set(sku, (moved.get(sku) ?? 0) + sign * quantity)
    }
  }

  function endHold(holder: string, items: Items): void {
    const pieces = held.get(holder)
    if (pieces !== undefined) held.set(holder, pieces - piecesOf(items))
  }

  const decidedChanges = changes.map((change): DecidedChange => {
    const { orderID } = change
    const order = states.get(orderID)
    const decided = decideChange(order, change, stamp)
    const { settlement, outcome, isReplay } = decided
    if (outcome !== undefined) {
      states.set(orderID, { outcome })
      outcomes.push(outcome)
    }
    if (order !== undefined && settlement !== undefined && !isReplay) {
      states.set(orderID, { ...order, [settlement.kind]: settlement })
      settlements.push(settlement)
      if (settlement.kind === 'released') move(settlement.event.items, -1)
      if (isHeld(order)) endHold(holderOf(order.outcome), settlement.event.items)
    }
    return decided
  })

  const decidedOrders = orders.map((order): DecidedOrder => {
    const former = states.get(order.orderID)
    if (former !== undefined) return { outcome: former.outcome, isReplay: true }
    const outcome = decideOrder(order, left, { limits, held }, stamp)
    states.set(order.orderID, { outcome })
    outcomes.push(outcome)
    if (outcome.kind === 'reserved') {
      const { items, holdUntilMs } = outcome.event
      move(items, 1)
      const holder = holderOf(outcome)
      if (holdUntilMs !== null) held.set(holder, (held.get(holder) ?? 0) + piecesOf(items))
    }
    return { outcome, isReplay: false }
  })

  return { orders: decidedOrders, changes: decidedChanges, fresh: { settlements, outcomes, moved } }
}

type Items = OrderToDecide['items']

function piecesOf(items: Items): number {
  return items.reduce((sum, { quantity }) => sum + quantity, 0)
}
