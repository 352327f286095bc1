import { mergeChanges, type OrderChange } from '../../domain/order-change.ts'
import { statusOf } from '../../domain/order-status.ts'
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
    async list({ userID, caller, status, sku, fromMs, untilMs }, { limit, beforeID }) {
      const orders = [...changes.values()]
        .filter(change => beforeID === undefined || change.orderID < beforeID)
        .flatMap(knownOrder)
        .filter(order => userID === undefined || order.userID === userID)
        .filter(({ created }) => caller === undefined || created.caller === caller)
        .filter(order => status === undefined || statusOf(order) === status)
        .filter(({ created }) => sku === undefined || created.items.some(item => item.sku === sku))
        .filter(({ created }) => created.acceptedAtMs >= (fromMs ?? Number.NEGATIVE_INFINITY))
        .filter(({ created }) => created.acceptedAtMs < (untilMs ?? Number.POSITIVE_INFINITY))
        .sort((a, b) => (a.orderID < b.orderID ? 1 : -1))
      const nextBeforeID = orders.length > limit ? orders[limit - 1]?.orderID : undefined
      return { orders: orders.slice(0, limit), ...(nextBeforeID !== undefined && { nextBeforeID }) }
    }
  }
}

function knownOrder(change: OrderChange | undefined) {
  return (change && orderOf(change)) ?? []
}
