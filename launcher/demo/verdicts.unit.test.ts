import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNotifications } from './notifications.ts'
import { judge, type SampleOrder, unexpected } from './verdicts.ts'

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
  subject: 'Order reserved',
  sentAtMs: 1042
}
const outOfStock = {
  ...reserved,
  id: 'InventoryFailed-order-1',
  kind: 'order-failed',
  reason: 'OUT_OF_STOCK',
  subject: 'Order failed: out of stock'
}

test('the verdict of an order has its outcome, its notification and its latency', () => {
  const { outcome, notification, latencyMs, asExpected } = judge(sample, accepted, [reserved])
  assert.deepEqual(
    { outcome, notification, latencyMs, asExpected },
    { outcome: 'reserved', notification: 'Order reserved', latencyMs: 42, asExpected: true }
  )
})

test('the same notification sent twice is as expected, because delivery is at least once', () => {
  assert.equal(judge(sample, accepted, [reserved, reserved]).asExpected, true)
})

test('a missing, a wrong, a second and a misdirected notification are different problems', () => {
  const problem = (...sent: (typeof reserved)[]) => judge(sample, accepted, sent).problem
  assert.equal(problem(), 'no notification')
  assert.equal(problem(outOfStock), 'failed (OUT_OF_STOCK) instead of reserved')
  assert.equal(problem(reserved, outOfStock), 'more than one outcome')
  assert.equal(problem({ ...reserved, userID: 'eve' }), 'another user was notified')
})

test('an invalid order is as expected only if it was refused', () => {
  const invalid: SampleOrder = { ...sample, expected: 'refused' }
  assert.equal(judge(invalid, { status: 400, requestedAtMs: 0 }, []).asExpected, true)
  assert.equal(judge(invalid, accepted, [reserved]).problem, 'reserved instead of refused')
  assert.equal(judge(sample, { status: 400, requestedAtMs: 0 }, []).problem, 'refused instead of reserved')
})

test('a response that is neither acceptance nor refusal is always a problem', () => {
  assert.equal(judge(sample, { status: 503, requestedAtMs: 0 }, []).problem, 'answered 503')
})

test('notifications of unknown orders are found', () => {
  assert.deepEqual(
    unexpected([accepted], [reserved, { ...reserved, orderID: 'order-9' }]).map(({ orderID }) => orderID),
    ['order-9']
  )
})

test('notifications are read from a log with other lines, without an incomplete last line', () => {
  const { sentAtMs, ...notification } = reserved
  const line = JSON.stringify({ level: 'info', time: new Date(sentAtMs).toISOString(), notification, msg: 'sent' })
  const log = `not JSON\n{"level":"info","msg":"listening"}\n${line}\n${line.slice(0, 60)}`
  assert.deepEqual(parseNotifications(log), [reserved])
})
