import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeOrder } from './make-orders.ts'

test('orders are determined by their index, have unique ids, and contain no SKU twice', () => {
  const ids = new Set<string>()
  for (let index = 0; index < 5_000; index++) {
    const order = makeOrder(index)
    assert.deepEqual(makeOrder(index), order)
    assert.match(order.orderID, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(new Set(order.items.map(({ sku }) => sku)).size, order.items.length)
    ids.add(order.orderID)
  }
  assert.equal(ids.size, 5_000)
})
