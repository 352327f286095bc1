import { mergeChanges, type OrderChange } from '../../domain/order-change.ts'
import { orderOf } from '../../domain/testing/order-of.ts'
import type { OrderStore } from '../order-store.ts'

/** Creates an order store in memory, for tests. */
export function createMemoryOrderStore(): OrderStore {
  const changes = new Map<string, OrderChange>()
  return {
    async apply(given) {
      const known = given.flatMap(({ orderID }) => changes.get(orderID) ?? [])
      for (const change of mergeChanges([...known, ...given])) changes.set(change.orderID, change)
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
