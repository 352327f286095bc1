import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved
} from '@orderly/contracts/testing'
import fc from 'fast-check'
import { notificationFor } from '../../domain/notification.ts'
import { payloadOf } from './webhook.ts'

const anyResult = fc.oneof(
  anyInventoryReserved(),
  anyInventoryFailed(),
  anyInventoryConfirmed(),
  anyInventoryReleased()
)

test('the payload contains the type of the event, its time and its data', () => {
  const items = [{ sku: 'MUG', quantity: 2 }]
  const reserved = inventoryReserved({ orderID: 'o-1', userID: 'ada', items, decidedAtMs: 1_700_000_000_123 })
  assert.deepEqual(JSON.parse(payloadOf(notificationFor(reserved), true)), {
    type: 'order.reserved',
    timestamp: '2023-11-14T22:13:20.123Z',
    data: { orderID: 'o-1', userID: 'ada', items }
  })
  const shortages = [{ sku: 'MUG', requested: 2, available: 1, reason: 'OUT_OF_STOCK' }]
  const failed = inventoryFailed({ orderID: 'o-2', userID: 'ada', shortages, decidedAtMs: 0 })
  assert.deepEqual(JSON.parse(payloadOf(notificationFor(failed), true)), {
    type: 'order.failed',
    timestamp: '1970-01-01T00:00:00.000Z',
    data: { orderID: 'o-2', userID: 'ada', reason: 'OUT_OF_STOCK', shortages }
  })
  const released = inventoryReleased({ orderID: 'o-3', userID: 'ada', items, cause: 'expired', releasedAtMs: 0 })
  assert.deepEqual(JSON.parse(payloadOf(notificationFor(released), true)), {
    type: 'order.expired',
    timestamp: '1970-01-01T00:00:00.000Z',
    data: { orderID: 'o-3', userID: 'ada', items }
  })
  const held = inventoryReserved({ orderID: 'o-4', userID: 'ada', items, decidedAtMs: 0, holdUntilMs: 60_000 })
  assert.deepEqual(JSON.parse(payloadOf(notificationFor(held), true)), {
    type: 'order.reserved',
    timestamp: '1970-01-01T00:00:00.000Z',
    data: { orderID: 'o-4', userID: 'ada', items, holdUntil: '1970-01-01T00:01:00.000Z' }
  })
})

test('equal events have equal payloads, with a type of letters, underscores and full stops', () => {
  fc.assert(
    fc.property(anyResult, outcome => {
      const payload = payloadOf(notificationFor(outcome), true)
      assert.equal(payload, payloadOf(notificationFor(structuredClone(outcome)), true))
      const { type, timestamp } = JSON.parse(payload)
      assert.match(type, /^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$/)
      assert.ok(!Number.isNaN(Date.parse(timestamp)))
    })
  )
})

test('the payload of the largest order is below 20 kB', () => {
  const items = Array.from({ length: 100 }, (_, index) => ({
    sku: `${index}`.padEnd(64, 'x'),
    quantity: 1_000_000
  }))
  const payload = payloadOf(notificationFor(inventoryReserved({ items, userID: 'u'.repeat(128) })), true)
  assert.ok(Buffer.byteLength(payload) < 20_000)
})
