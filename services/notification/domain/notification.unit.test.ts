import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  anyInventoryFailed,
  anyInventoryReserved,
  inventoryFailed,
  inventoryReserved
} from '@orderly/contracts/testing'
import fc from 'fast-check'
import { notificationFor } from './notification.ts'

test('a reserved order is confirmed, with its lines', () => {
  const items = [
    { sku: 'MUG-WHITE', quantity: 2 },
    { sku: 'TEA-GREEN', quantity: 1 }
  ]
  const outcome = inventoryReserved({ orderID: 'o-1', userID: 'ada', items, decidedAtMs: 7 })
  assert.deepEqual(notificationFor(outcome), {
    id: 'InventoryReserved-o-1',
    kind: 'order-confirmed',
    orderID: 'o-1',
    userID: 'ada',
    decidedAtMs: 7,
    items
  })
})

test('a failed order is said to be out of stock, with the SKUs that were short', () => {
  const shortages = [{ sku: 'MUG-WHITE', requested: 9, available: 4 }]
  const outcome = inventoryFailed({ orderID: 'o-2', userID: 'ada', shortages, decidedAtMs: 7 })
  assert.deepEqual(notificationFor(outcome), {
    id: 'InventoryFailed-o-2',
    kind: 'out-of-stock',
    orderID: 'o-2',
    userID: 'ada',
    decidedAtMs: 7,
    reason: 'OUT_OF_STOCK',
    shortages
  })
})

test('the same outcome always becomes the same notification, to the user of the order', () => {
  fc.assert(
    fc.property(fc.oneof(anyInventoryReserved(), anyInventoryFailed()), outcome => {
      const notification = notificationFor(outcome)
      assert.deepEqual(notification, notificationFor(structuredClone(outcome)))
      assert.equal(notification.userID, outcome.userID)
      assert.equal(notification.orderID, outcome.orderID)
      assert.ok(notification.id.endsWith(`-${outcome.orderID}`))
    })
  )
})
