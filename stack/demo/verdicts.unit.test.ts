import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNotifications } from './notifications.ts'
import { judge, type SampleOrder, strangers } from './verdicts.ts'

const sample: SampleOrder = {
  about: 'two cups',
  order: { userID: 'ada', items: [{ sku: 'MUG', quantity: 2 }], total: 20 },
  expected: 'confirmed'
}
const accepted = { status: 202, orderID: 'order-1', requestedAtMs: 1000 }
const confirmed = {
  id: 'InventoryReserved-order-1',
  orderID: 'order-1',
  userID: 'ada',
  kind: 'order-confirmed',
  subject: 'Order confirmed',
  sentAtMs: 1042
}
const outOfStock = { ...confirmed, id: 'InventoryFailed-order-1', kind: 'out-of-stock', subject: 'Out of stock' }

test('an order that ended as it had to has its outcome, its notification and the time in between', () => {
  const { outcome, notification, latencyMs, asExpected } = judge(sample, accepted, [confirmed])
  assert.deepEqual(
    { outcome, notification, latencyMs, asExpected },
    { outcome: 'confirmed', notification: 'Order confirmed', latencyMs: 42, asExpected: true }
  )
})

test('the same notification sent twice is as expected, as it is promised at least once', () => {
  assert.equal(judge(sample, accepted, [confirmed, confirmed]).asExpected, true)
})

test('a missing, a wrong, a second and a misdirected notification are each called what they are', () => {
  const problem = (...sent: (typeof confirmed)[]) => judge(sample, accepted, sent).problem
  assert.equal(problem(), 'no notification')
  assert.equal(problem(outOfStock), 'out-of-stock instead of confirmed')
  assert.equal(problem(confirmed, outOfStock), 'more than one outcome')
  assert.equal(problem({ ...confirmed, userID: 'eve' }), 'another user was told')
})

test('an invalid order is as expected only when it was refused', () => {
  const invalid: SampleOrder = { ...sample, expected: 'refused' }
  assert.equal(judge(invalid, { status: 400, requestedAtMs: 0 }, []).asExpected, true)
  assert.equal(judge(invalid, accepted, [confirmed]).problem, 'confirmed instead of refused')
  assert.equal(judge(sample, { status: 400, requestedAtMs: 0 }, []).problem, 'refused instead of confirmed')
})

test('an answer that is neither acceptance nor refusal is a problem whatever was expected', () => {
  assert.equal(judge(sample, { status: 503, requestedAtMs: 0 }, []).problem, 'answered 503')
})

test('notifications of orders that nobody placed are found', () => {
  assert.deepEqual(
    strangers([accepted], [confirmed, { ...confirmed, orderID: 'order-9' }]).map(({ orderID }) => orderID),
    ['order-9']
  )
})

test('notifications are read from among other log lines, without the unfinished last one', () => {
  const { sentAtMs, ...notification } = confirmed
  const line = JSON.stringify({ level: 'info', time: new Date(sentAtMs).toISOString(), notification, msg: 'sent' })
  const log = `not JSON\n{"level":"info","msg":"listening"}\n${line}\n${line.slice(0, 60)}`
  assert.deepEqual(parseNotifications(log), [confirmed])
})
