import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError, ReservedWriterError } from '@orderly/kafka'
import { recordLog } from '@orderly/service-kit/testing'
import { createMemoryKeyStore } from '../store/testing/memory-keys.ts'
import { anOrder, createOrderApi, nowMs } from '../testing/order-api.ts'

const key = { 'idempotency-key': 'key 1' }
const timeout = new KafkaError('DELIVERY_TIMEOUT', 'for the test', { retryable: true })

test('equivalent requests with the same key return the same order and write it once', async t => {
  const { post, broker } = await createOrderApi(t)
  const first = await post(anOrder, key)
  const again = await post({ total: 25.9, items: anOrder.items.toReversed(), userID: anOrder.userID }, key)
  assert.deepEqual([first.status, again.status, again.body], [202, 202, first.body])
  assert.deepEqual(
    [first, again].map(({ headers }) => headers['idempotent-replayed']),
    [undefined, 'true']
  )
  assert.equal(again.headers.traceparent, first.headers.traceparent)
  assert.equal(broker.records('orders.created').length, 1)
})

test('another order with the same key gets 422; without a key every request places an order', async t => {
  const { post, broker } = await createOrderApi(t)
  await post(anOrder, key)
  const other = await post({ ...anOrder, total: 1 }, key)
  assert.deepEqual([other.status, other.body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
  await post(anOrder)
  await post(anOrder)
  assert.equal(broker.records('orders.created').length, 3)
})

test('the key of a refused order can be used again', async t => {
  const { post } = await createOrderApi(t)
  assert.equal((await post({ ...anOrder, items: [] }, key)).status, 400)
  assert.equal((await post({ ...anOrder, total: 1.005 }, key)).status, 400)
  assert.equal((await post(anOrder, key)).status, 202)
})

test('the key of an order that was certainly not written can be used for another order', async t => {
  const { post, failNextKeyed, broker } = await createOrderApi(t)
  failNextKeyed(new ReservedWriterError(timeout, false), false)
  assert.equal((await post(anOrder, key)).status, 503)
  assert.equal((await post({ ...anOrder, total: 1 }, key)).status, 202)
  assert.equal(broker.records('orders.created').length, 1)
})

for (const isWritten of [true, false]) {
  test(`an order with an unknown write result (${isWritten ? 'written' : 'not written'}) is stored once after the next attempt`, async t => {
    const { post, failNextKeyed, broker } = await createOrderApi(t)
    failNextKeyed(new ReservedWriterError(timeout, true), isWritten)
    assert.equal((await post(anOrder, key)).status, 503)
    assert.equal((await post({ ...anOrder, total: 1 }, key)).status, 422)
    const { status, body, headers } = await post(anOrder, key)
    assert.deepEqual([status, headers['idempotent-replayed']], [202, 'true'])
    const [record, ...others] = broker.records('orders.created')
    assert.equal(record?.headers['event-id'], `OrderCreated-${body.orderID}`)
    assert.equal(others.length, 0)
  })
}

test('a key with a request in flight gets 409 with Retry-After', async t => {
  const { post, holdKeyed, broker } = await createOrderApi(t)
  const letGo = holdKeyed()
  const first = post(anOrder, key)
  const conflict = await post(anOrder, key)
  assert.deepEqual([conflict.status, conflict.body.code], [409, 'IDEMPOTENCY_KEY_IN_USE'])
  assert.equal(conflict.headers['retry-after'], '8')
  letGo()
  assert.equal((await first).status, 202)
  assert.equal((await post(anOrder, key)).body.orderID, (await first).body.orderID)
  assert.equal(broker.records('orders.created').length, 1)
})

test('a key is 1 to 255 printable ASCII characters', async t => {
  const { post } = await createOrderApi(t)
  assert.equal((await post(anOrder, { 'idempotency-key': 'x'.repeat(255) })).status, 202)
  for (const wrong of ['', 'x'.repeat(256), 'schlüssel'])
    assert.equal((await post(anOrder, { 'idempotency-key': wrong })).status, 400)
})

test('a failure to store the state of a key does not fail the order and is logged with the trace id', async t => {
  const { logger, lines } = recordLog()
  const markStored = () => Promise.reject(new Error('the database is unavailable'))
  const { post } = await createOrderApi(t, { logger, keys: { ...createMemoryKeyStore(() => nowMs), markStored } })
  const { status, headers } = await post(anOrder, key)
  assert.equal(status, 202)
  const [, traceID] = String(headers.traceparent).split('-')
  assert.deepEqual(
    lines.map(line => [line.level, line.traceID]),
    [['warn', traceID]]
  )
})
