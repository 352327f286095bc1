import assert from 'node:assert/strict'
import { test } from 'node:test'
import { orderStatuses } from '@orderly/contracts'
import fc from 'fast-check'
import { mergeChanges, type OrderChange } from './order-change.ts'
import { isFinal, isSettled, statusEvents, statusEventsAfter, statusOf } from './order-status.ts'
import { orderOf } from './testing/order-of.ts'

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
    shortages: [{ sku: 'MUG', requested: 2, available: 1, reason: 'OUT_OF_STOCK' }],
    partition: 0,
    offset: 8
  }
}

function merged(...changes: OrderChange[]) {
  const [change] = mergeChanges(changes)
  return change && orderOf(change)
}

test('an order is accepted until its outcome is known', () => {
  const accepted = merged(created)
  assert.ok(accepted !== undefined)
  assert.deepEqual([statusOf(accepted), isSettled(accepted)], ['accepted', false])
  const decided = merged(created, failed)
  assert.ok(decided !== undefined)
  assert.deepEqual([statusOf(decided), isSettled(decided)], ['failed', true])
})

test('an outcome is not visible before its order is known', () => {
  assert.equal(merged(failed), undefined)
  assert.deepEqual(merged(failed, created), merged(created, failed))
})

test('repeated and reordered records result in the same order', () => {
  const again = fc.array(fc.constantFrom(created, failed), { maxLength: 6 })
  fc.assert(
    fc.property(again, changes => {
      assert.deepEqual(merged(created, failed, ...changes), merged(created, failed))
      assert.deepEqual(merged(...changes, failed, created), merged(created, failed))
    })
  )
})

test('the status events after a known id are returned, and all of them for an unknown id', () => {
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

const held: OrderChange = {
  orderID: '1',
  userID: 'ann',
  decided: { kind: 'reserved', decidedAtMs: 9, holdUntilMs: 99, partition: 0, offset: 8 }
}
const confirmed: OrderChange = {
  orderID: '1',
  userID: 'ann',
  confirmed: { confirmedAtMs: 20, requestID: '', partition: 0, offset: 1 }
}
const released = (cause: string): OrderChange => {
  return { orderID: '1', userID: 'ann', released: { releasedAtMs: 30, cause, requestID: 'r', partition: 0, offset: 1 } }
}

test('an order with a hold can change without a cancel until it is confirmed, cancelled or expired', () => {
  const statusAndEnd = (...changes: OrderChange[]) => {
    const order = merged(created, ...changes)
    return order && [statusOf(order), isSettled(order)]
  }
  assert.deepEqual(statusAndEnd(held), ['reserved', false])
  assert.deepEqual(statusAndEnd(held, confirmed), ['confirmed', true])
  assert.deepEqual(statusAndEnd(held, released('expired')), ['expired', true])
  assert.deepEqual(statusAndEnd(held, released('cancelled')), ['cancelled', true])
  assert.deepEqual(statusAndEnd(held, released('cancelled'), confirmed), ['cancelled', true])
  assert.deepEqual(statusAndEnd(released('cancelled')), ['accepted', false])
  const order = merged(created, held, confirmed, released('cancelled'))
  assert.deepEqual(order && statusEvents(order).map(({ id }) => id), [
    'OrderCreated-1',
    'InventoryReserved-1',
    'InventoryConfirmed-1',
    'InventoryReleased-1-r'
  ])
})

test('a status that can still be cancelled is not final', () => {
  const reserved: OrderChange = {
    orderID: '1',
    userID: 'ann',
    decided: { kind: 'reserved', decidedAtMs: 9, partition: 0, offset: 8 }
  }
  const timelineOf = (...changes: OrderChange[]) => {
    const order = merged(created, ...changes)
    assert.ok(order !== undefined)
    assert.equal(isFinal(order), statusEvents(order).at(-1)?.isFinal)
    return [isSettled(order), isFinal(order)]
  }
  assert.deepEqual(timelineOf(), [false, false])
  assert.deepEqual(timelineOf(reserved), [true, false])
  assert.deepEqual(timelineOf(held), [false, false])
  assert.deepEqual(timelineOf(held, confirmed), [true, false])
  for (const changes of [[failed], [reserved, released('cancelled')], [held, released('expired')]]) {
    assert.deepEqual(timelineOf(...changes), [true, true])
  }
})

test('for any read order of the topics, the status never moves backwards and a stream repeats no event', () => {
  const rank = (change: OrderChange) => {
    const order = orderOf(change)
    return order === undefined ? -1 : orderStatuses.indexOf(statusOf(order))
  }
  const lives = [
    [created, held, confirmed, released('cancelled')],
    [created, held, released('expired')],
    [created, failed]
  ]
  const shuffled = fc
    .constantFrom(...lives)
    .chain(timeline => fc.shuffledSubarray(timeline, { minLength: timeline.length }))
  fc.assert(
    fc.property(shuffled, changes => {
      let reported: string[] = []
      for (let read = 1; read <= changes.length; read++) {
        const [before, now] = [changes.slice(0, read - 1), changes.slice(0, read)].map(all => mergeChanges(all)[0])
        if (before !== undefined) assert.ok(rank(now as OrderChange) >= rank(before))
        const order = orderOf(now as OrderChange)
        if (order !== undefined)
          reported = [...reported, ...statusEventsAfter(order, reported.at(-1)).map(({ id }) => id)]
      }
      assert.equal(new Set(reported).size, reported.length)
      const whole = merged(...changes)
      assert.equal(reported.at(-1), whole && statusEvents(whole).at(-1)?.id)
    })
  )
})

test('an order that failed with the reason CANCELLED has the status cancelled', () => {
  const decided = {
    kind: 'failed',
    decidedAtMs: 9,
    reason: 'CANCELLED',
    shortages: [],
    partition: 0,
    offset: 8
  } as const
  const order = merged(created, { orderID: '1', userID: 'ann', decided })
  assert.deepEqual(order && [statusOf(order), isSettled(order)], ['cancelled', true])
})
