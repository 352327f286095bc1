import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mergeChanges, type OrderChange } from './order-change.ts'
import { isFinal, orderOf, statusEvents, statusEventsAfter, statusOf } from './order-status.ts'

const created: OrderChange = {
  orderID: '1',
  userID: 'ann',
  created: {
    items: [{ sku: 'MUG', quantity: 2 }],
    totalMinor: 500,
    currency: 'EUR',
    acceptedAtMs: 7,
    partition: 0,
    offset: 4
  }
}
const failed: OrderChange = {
  orderID: '1',
  userID: 'ann',
  decided: {
    kind: 'failed',
    decidedAtMs: 9,
    reason: 'OUT_OF_STOCK',
    shortages: [{ sku: 'MUG', requested: 2, available: 1 }],
    partition: 0,
    offset: 8
  }
}

function merged(...changes: OrderChange[]) {
  const [change] = mergeChanges(changes)
  return change && orderOf(change)
}

test('given an order, then it is accepted; given its outcome as well, then that', () => {
  const accepted = merged(created)
  assert.ok(accepted !== undefined)
  assert.deepEqual([statusOf(accepted), isFinal(accepted)], ['accepted', false])
  const decided = merged(created, failed)
  assert.ok(decided !== undefined)
  assert.deepEqual([statusOf(decided), isFinal(decided)], ['failed', true])
})

test('an outcome that is read before its order waits for it', () => {
  assert.equal(merged(failed), undefined)
  assert.deepEqual(merged(failed, created), merged(created, failed))
})

test('the same records, again and in any sequence, make the same order', () => {
  const again = fc.array(fc.constantFrom(created, failed), { maxLength: 6 })
  fc.assert(
    fc.property(again, changes => {
      assert.deepEqual(merged(created, failed, ...changes), merged(created, failed))
      assert.deepEqual(merged(...changes, failed, created), merged(created, failed))
    })
  )
})

test('events that follow the last one seen are told, all of them to who has seen none', () => {
  const order = merged(created, failed)
  assert.ok(order !== undefined)
  const events = statusEvents(order)
  assert.deepEqual(
    events.map(({ id, status, atMs }) => [id, status, atMs]),
    [
      ['OrderCreated-1', 'accepted', 7],
      ['InventoryFailed-1', 'failed', 9]
    ]
  )
  assert.deepEqual(statusEventsAfter(order, undefined), events)
  assert.deepEqual(statusEventsAfter(order, 'rubbish'), events)
  assert.deepEqual(statusEventsAfter(order, 'OrderCreated-1'), events.slice(1))
  assert.deepEqual(statusEventsAfter(order, 'InventoryFailed-1'), [])
})
