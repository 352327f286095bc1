import { defaultsOf, type OrderCreated, orderCreatedSchemas } from '@orderly/contracts'

/** Distribution of SKUs: two random ones per order, or one SKU of all orders and a random one. */
export type Demand = 'uniform' | 'hot'

export const skuCount = 2_000
const users = 10_000
const defaults = defaultsOf(orderCreatedSchemas)

export function skuOf(index: number): string {
  return `TEA-EARL-GREY-${String(index % skuCount).padStart(5, '0')}`
}

/** Returns the order of an index, always the same: two lines, about 150 bytes in Avro. */
export function makeOrder(index: number, demand: Demand = 'uniform'): OrderCreated {
  const random = scatter(index)
  const sku = demand === 'hot' ? 0 : random % skuCount
  const other = demand === 'hot' ? 1 + (random % (skuCount - 1)) : sku + 1 + (random % 97)
  return {
    ...defaults,
    orderID: `0198${hex(index, 4)}-${hex(random, 4)}-7${hex(random >>> 3, 3)}-8${hex(index, 3)}-${hex(index, 12)}`,
    userID: `user-${scatter(index + 77) % users}`,
    items: [
      { sku: skuOf(sku), quantity: 1 + (random % 3) },
      { sku: skuOf(other), quantity: 1 }
    ],
    totalMinor: 500 + (random % 100_000),
    createdAtMs: 1_700_000_000_000 + index
  }
}

/** Returns the same order as a request body. */
export function makeBody(index: number): string {
  const { userID, items, totalMinor } = makeOrder(index)
  return JSON.stringify({ userID, items, total: totalMinor / 100 })
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0').slice(-digits)
}

/**
 * Returns a hash of the index, so that adjacent indexes give unrelated values (finalizer of
 * MurmurHash3).
 */
function scatter(index: number): number {
  let hash = Math.imul(index ^ (index >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
