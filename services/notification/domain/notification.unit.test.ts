import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  inventoryConfirmed,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved
} from '@orderly/contracts/testing'
import fc from 'fast-check'
import { notificationFor } from './notification.ts'

const anyResult = fc.oneof(
  anyInventoryReserved(),
  anyInventoryFailed(),
  anyInventoryConfirmed(),
  anyInventoryReleased()
)

test('an order without a hold becomes a notification of the kind order-reserved with its lines', () => {
  const items = [
    { sku: 'MUG-WHITE', quantity: 2 },
    { sku: 'TEA-GREEN', quantity: 1 }
  ]
  const outcome = inventoryReserved({ orderID: 'o-1', userID: 'ada', items, decidedAtMs: 7 })
  assert.deepEqual(notificationFor(outcome), {
    id: 'InventoryReserved-o-1',
    kind: 'order-reserved',
    orderID: 'o-1',
    userID: 'ada',
    decidedAtMs: 7,
    items
  })
})

test('a failed order becomes a notification with its reason and its shortages', () => {
  const shortages = [{ sku: 'MUG-WHITE', requested: 9, available: 4, reason: 'OUT_OF_STOCK' }]
  const outcome = inventoryFailed({ orderID: 'o-2', userID: 'ada', shortages, decidedAtMs: 7 })
  assert.deepEqual(notificationFor(outcome), {
    id: 'InventoryFailed-o-2',
    kind: 'order-failed',
    orderID: 'o-2',
    userID: 'ada',
    decidedAtMs: 7,
    reason: 'OUT_OF_STOCK',
    shortages
  })
})

test('a hold becomes a reservation with its end time, then a confirmation, each with the id of its event', () => {
  const held = notificationFor(inventoryReserved({ orderID: 'o-3', holdUntilMs: 1_700_000_000_123 }))
  assert.ok(held.kind === 'order-reserved')
  assert.deepEqual([held.id, held.holdUntil], ['InventoryReserved-o-3', '2023-11-14T22:13:20.123Z'])
  const confirmed = notificationFor(inventoryConfirmed({ orderID: 'o-3', confirmedAtMs: 8, requestID: 'r' }))
  assert.deepEqual(
    [confirmed.id, confirmed.kind, confirmed.decidedAtMs],
    ['InventoryConfirmed-o-3-r', 'order-confirmed', 8]
  )
})

test('a release becomes order-cancelled or order-expired, and a failure by early cancel becomes order-cancelled without items', () => {
  const kinds = ['cancelled', 'expired', 'some cause to come'].map(
    cause => notificationFor(inventoryReleased({ cause })).kind
  )
  assert.deepEqual(kinds, ['order-cancelled', 'order-expired', 'order-cancelled'])
  const failed = inventoryFailed({ orderID: 'o-4', userID: 'ada', reason: 'CANCELLED', shortages: [], decidedAtMs: 7 })
  assert.deepEqual(notificationFor(failed), {
    id: 'InventoryFailed-o-4',
    kind: 'order-cancelled',
    orderID: 'o-4',
    userID: 'ada',
    decidedAtMs: 7,
    items: []
  })
})

test('equal outcomes become equal notifications, to the user of the order', () => {
  fc.assert(
    fc.property(anyResult, outcome => {
      const notification = notificationFor(outcome)
      assert.deepEqual(notification, notificationFor(structuredClone(outcome)))
      assert.equal(notification.userID, outcome.userID)
      assert.equal(notification.orderID, outcome.orderID)
      const request = 'requestID' in outcome && outcome.requestID !== '' ? `-${outcome.requestID}` : ''
      assert.ok(notification.id.endsWith(`-${outcome.orderID}${request}`))
    })
  )
})

test('a failure keeps its reason even if this version does not know it', () => {
  for (const reason of ['OUT_OF_STOCK', 'UNKNOWN_SKU', 'NEW_REASON', 'toString']) {
    const notification = notificationFor(inventoryFailed({ reason }))
    assert.deepEqual([notification.kind, 'reason' in notification && notification.reason], ['order-failed', reason])
  }
})
