import { mergeChange, type OrderChange } from '../domain/order-change.ts'
import { orderOf } from '../domain/order-status.ts'
import type { OrderStore } from './order-store.ts'

/** Creates an order store in memory, for tests. */
export function createMemoryOrderStore(): OrderStore {
  const changes = new Map<string, OrderChange>()
  return {
    async apply(given) {
      for (const change of given) changes.set(change.orderID, mergeChange(changes.get(change.orderID), change))
    },
    async find(orderIDs) {
      const found = orderIDs.flatMap(orderID => knownOrder(changes.get(orderID)))
      return new Map(found.map(order => [order.orderID, order]))
    },
    async list(userID, { limit, beforeID, caller }) {
      const orders = [...changes.values()]
        .filter(change => change.userID === userID && (beforeID === undefined || change.orderID < beforeID))
        .flatMap(knownOrder)
        .filter(({ created }) => caller === undefined || created.caller === caller)
        .sort((a, b) => (a.orderID < b.orderID ? 1 : -1))
      return { orders: orders.slice(0, limit), hasMore: orders.length > limit }
    }
  }
}

function knownOrder(change: OrderChange | undefined) {
  return (change && orderOf(change)) ?? []
}
