import { type Decision, decide, type Holding, type Outcome, unlimitedHolding } from './decide.ts'
import type { OrderToDecide } from './order.ts'
import type { Stamp } from './stamp.ts'

export interface DecidedOrder {
  readonly outcome: Outcome
  /** The order had its outcome before; nothing was reserved now. */
  readonly isReplay: boolean
}

export interface OrdersDecision {
  /** One for each order, in the same order. */
  readonly decided: readonly DecidedOrder[]
  /** What has to be remembered: the outcomes of the orders that had none, and what they take. */
  readonly fresh: Decision
}

/** As `decide`, for orders that may have been decided before, or may come twice in one batch. */
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
