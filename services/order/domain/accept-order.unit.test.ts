import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptOrder } from './accept-order.ts'

test('given an order without a currency, an id and a time, when it is accepted, then OrderCreated says exactly that, in euros', () => {
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

test('given orders in several currencies, when they are accepted, then their totals are in the minor units of each', () => {
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
