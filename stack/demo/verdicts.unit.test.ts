import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNotifications } from './notifications.ts'
import { judge, type SampleOrder, strangers } from './verdicts.ts'

const sample: SampleOrder = {
  about: 'two cups',
  order: { userID: 'ada', items: [{ sku: 'MUG', quantity: 2 }], total: 20 },
  expected: 'reserved'
}
const accepted = { status: 202, orderID: 'order-1', requestedAtMs: 1000 }
const reserved = {
  id: 'InventoryReserved-order-1',
  orderID: 'order-1',
  userID: 'ada',
  kind: 'order-reserved',
  subject: 'Order confirmed',
  sentAtMs: 1042
}
const outOfStock = {
  ...reserved,
  id: 'InventoryFailed-order-1',
  kind: 'order-failed',
  reason: 'OUT_OF_STOCK',
  subject: 'Out of stock'
}

test('an order that ended as it had to has its outcome, its notification and the time in between', () => {
  const { outcome, notification, latencyMs, asExpected } = judge(sample, accepted, [reserved])
  assert.deepEqual(
    { outcome, notification, latencyMs, asExpected },
    { outcome: 'reserved', notification: 'Order confirmed', latencyMs: 42, asExpected: true }
  )
})

test('the same notification sent twice is as expected, as it is promised at least once', () => {
  assert.equal(judge(sample, accepted, [reserved, reserved]).asExpected, true)
})

test('a missing, a wrong, a second and a misdirected notification are each called what they are', () => {
  const problem = (...sent: (typeof reserved)[]) => judge(sample, accepted, sent).problem
  assert.equal(problem(), 'no notification')
  assert.equal(problem(outOfStock), 'out-of-stock instead of reserved')
  assert.equal(problem(reserved, outOfStock), 'more than one outcome')
  assert.equal(problem({ ...reserved, userID: 'eve' }), 'another user was told')
})

test('an invalid order is as expected only when it was refused', () => {
  const invalid: SampleOrder = { ...sample, expected: 'refused' }
  assert.equal(judge(invalid, { status: 400, requestedAtMs: 0 }, []).asExpected, true)
  assert.equal(judge(invalid, accepted, [reserved]).problem, 'reserved instead of refused')
  assert.equal(judge(sample, { status: 400, requestedAtMs: 0 }, []).problem, 'refused instead of reserved')
})

test('an answer that is neither acceptance nor refusal is a problem whatever was expected', () => {
  assert.equal(judge(sample, { status: 503, requestedAtMs: 0 }, []).problem, 'answered 503')
})

test('notifications of orders that nobody placed are found', () => {
  assert.deepEqual(
    strangers([accepted], [reserved, { ...reserved, orderID: 'order-9' }]).map(({ orderID }) => orderID),
    ['order-9']
  )
})

test('notifications are read from among other log lines, without the unfinished last one', () => {
  const { sentAtMs, ...notification } = reserved
  const line = JSON.stringify({ level: 'info', time: new Date(sentAtMs).toISOString(), notification, msg: 'sent' })
  const log = `not JSON\n{"level":"info","msg":"listening"}\n${line}\n${line.slice(0, 60)}`
  assert.deepEqual(parseNotifications(log), [reserved])
})
