import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptOrder } from './accept-order.ts'

test('an accepted order without a currency becomes an OrderCreated in euros with the given id and time', () => {
  const command = { userID: 'user-17', items: [{ sku: 'TEA', quantity: 2 }], total: 25.9 }
  assert.deepEqual(acceptOrder(command, { orderID: '0198', nowMs: 1_700_000_000_000 }), {
    orderID: '0198',
    userID: 'user-17',
    items: [{ sku: 'TEA', quantity: 2 }],
    totalMinor: 2_590,
    currency: 'EUR',
    holdSeconds: null,
    createdAtMs: 1_700_000_000_000
  })
})

test('the total of an accepted order is in the minor units of its currency', () => {
  for (const [total, currency, totalMinor] of [
    [25.9, 'USD', 2_590],
    [2_500, 'JPY', 2_500],
    [1.234, 'KWD', 1_234]
  ] as const) {
    const order = acceptOrder(
      { userID: 'u', items: [{ sku: 's', quantity: 1 }], total, currency },
      { orderID: 'o', nowMs: 0 }
    )
    assert.deepEqual([order.totalMinor, order.currency], [totalMinor, currency])
  }
})
