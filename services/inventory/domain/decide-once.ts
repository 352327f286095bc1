import { type Decision, decide, type Holding, type Outcome, unlimitedHolding } from './decide.ts'
import type { OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

export interface DecidedOrder {
  readonly outcome: Outcome
  /** True if the order already had its outcome, so it reserves nothing now. */
  readonly isReplay: boolean
}

export interface OrdersDecision {
  /** One result per order, in the same sequence. */
  readonly decided: readonly DecidedOrder[]
  /** New outcomes and the pieces that they reserve, which the store must persist. */
  readonly fresh: Decision
}

/**
 * Decides like `decide`, but returns the existing outcome of orders that were decided earlier or
 * are repeated in the batch.
 */
export function decideOnce(
  remembered: ReadonlyMap<string, Outcome>,
  available: ReadonlyMap<string, number>,
  orders: readonly OrderToDecide[],
  stamp: Stamp,
  holding: Holding = unlimitedHolding
): OrdersDecision {
  const firsts = new Map<string, OrderToDecide>()
  for (const order of orders) {
    if (!remembered.has(order.orderID) && !firsts.has(order.orderID)) firsts.set(order.orderID, order)
  }
  const fresh = decide(available, [...firsts.values()], stamp, holding)
  const freshByOrder = new Map(fresh.outcomes.map(outcome => [outcome.event.orderID, outcome]))
  const decided = orders.map((order): DecidedOrder => {
    const outcome = freshByOrder.get(order.orderID)
    if (outcome) return { outcome, isReplay: firsts.get(order.orderID) !== order }
    return { outcome: remembered.get(order.orderID) as Outcome, isReplay: true }
  })
  return { decided, fresh }
}
