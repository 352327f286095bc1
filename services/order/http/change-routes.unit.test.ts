import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OrderChangeRequested } from '@orderly/contracts'
import { KafkaError } from '@orderly/kafka'
import { newID } from '@orderly/service-kit'
import type { OrderChange } from '../domain/order-change.ts'
import { createMemoryKeyStore } from '../store/testing/memory-keys.ts'
import { createOrderApi, type OrderApi } from '../testing/order-api.ts'

const place = { partition: 0, offset: 1 }

/** Stores facts about an order, in place of the projection. */
async function project({ orders }: OrderApi, orderID: string, ...facts: Partial<OrderChange>[]): Promise<void> {
  await orders.apply(facts.map(fact => ({ orderID, userID: 'ann', ...fact })))
}

const created = (holdSeconds?: number): Partial<OrderChange> => {
  const order = { items: [{ sku: 'MUG', quantity: 1 }], totalMinor: 1_234, currency: 'EUR', acceptedAtMs: 7_000 }
  return { created: { ...order, ...(holdSeconds !== undefined && { holdSeconds }), ...place } }
}
const reserved = (holdUntilMs?: number): Partial<OrderChange> => {
  const hold = holdUntilMs === undefined ? {} : { holdUntilMs }
  return { decided: { kind: 'reserved', decidedAtMs: 8_000, ...hold, ...place } }
}
const failed: Partial<OrderChange> = {
  decided: { kind: 'failed', decidedAtMs: 8_000, reason: 'OUT_OF_STOCK', shortages: [], ...place }
}
const confirmed: Partial<OrderChange> = { confirmed: { confirmedAtMs: 9_000, requestID: 'c', ...place } }
const released: Partial<OrderChange> = {
  released: { releasedAtMs: 9_000, cause: 'cancelled', requestID: 'r', ...place }
}

async function ask({ http }: OrderApi, changeRequest: string, orderID: string, headers: Record<string, string> = {}) {
  const answer = await http.inject({ method: 'POST', url: `/orders/${orderID}/${changeRequest}`, headers })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

test('a request body of any kind is ignored', async t => {
  const api = await createOrderApi(t)
  const orderID = newID()
  await project(api, orderID, created(), reserved())
  const bodies = [
    ['application/json', ''],
    ['application/json', '{"reason":'],
    ['application/x-www-form-urlencoded', ''],
    ['text/plain', 'x'.repeat(200_000)]
  ] as const
  for (const [type, payload] of bodies) {
    const { statusCode } = await api.http.inject({
      method: 'POST',
      url: `/orders/${orderID}/cancel`,
      headers: { 'content-type': type },
      payload
    })
    assert.equal(statusCode, 202, `${type} ${payload.slice(0, 20)}`)
  }
})

async function requestsIn({ broker, topics }: OrderApi): Promise<OrderChangeRequested[]> {
  const values = broker.records('orders.changes').map(({ value }) => value)
  await topics.ordersChanges.codec.prepare(values)
  return values.map(value => topics.ordersChanges.codec.decode(value))
}

test('a cancel request writes one record with the key of the user and gets 202 with the current status', async t => {
  const api = await createOrderApi(t)
  const orderID = newID()
  await project(api, orderID, created())
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const { status, headers, body } = await ask(api, 'cancel', orderID, { traceparent })
  const links = { self: `/orders/${orderID}`, events: `/orders/${orderID}/events` }
  const { changeRequestID: requestID } = body
  assert.deepEqual([status, body], [202, { orderID, changeRequestID: requestID, status: 'accepted', links }])
  const [record, ...others] = api.broker.records('orders.changes')
  assert.ok(record !== undefined && others.length === 0)
  assert.equal(record.key, 'ann')
  assert.equal(record.headers['event-id'], `OrderChangeRequested-${orderID}-cancel-${requestID}`)
  assert.equal(record.headers.traceparent, headers.traceparent)
  assert.match(String(headers.traceparent), /^00-0af7651916cd43dd8448eb211c80319c-/)
  const [change] = await requestsIn(api)
  const expected = { orderID, userID: 'ann', change: 'cancel', requestID, requestedAtMs: 0 }
  assert.deepEqual({ ...change, requestedAtMs: 0 }, expected)
})

test('requests with one idempotency key share a request id on all instances, requests without a key do not', async t => {
  const keys = createMemoryKeyStore()
  const apis = [await createOrderApi(t, { keys }), await createOrderApi(t, { keys })]
  const orderID = newID()
  const ids: string[] = []
  const replayed: unknown[] = []
  for (const api of apis) {
    await project(api, orderID, created())
    for (const headers of [{ 'idempotency-key': 'k' }, undefined]) {
      const answer = await ask(api, 'cancel', orderID, headers)
      ids.push(answer.body.changeRequestID)
      replayed.push(answer.headers['idempotent-replayed'])
    }
  }
  const [first, unnamed, again, unnamedAgain] = ids
  assert.equal(first, again)
  assert.equal(new Set([first, unnamed, unnamedAgain]).size, 3)
  assert.deepEqual(replayed, [undefined, undefined, 'true', undefined])
  const written = (await Promise.all(apis.map(requestsIn))).flat()
  assert.deepEqual(
    written.map(({ requestID }) => requestID),
    ids
  )
})

test('a key of another change, of a change to another order, or of a placed order gets 422', async t => {
  const api = await createOrderApi(t)
  const [one, two] = [newID(), newID()]
  for (const orderID of [one, two]) await project(api, orderID, created(9), reserved(99_000))
  const key = { 'idempotency-key': 'k' }
  assert.equal((await ask(api, 'cancel', one, key)).status, 202)
  const order = { userID: 'ann', items: [{ sku: 'MUG', quantity: 1 }], total: 1 }
  const placed = await api.post(order, key)
  const refused = [await ask(api, 'confirm', one, key), await ask(api, 'cancel', two, key), placed]
  for (const { status, body } of refused) assert.deepEqual([status, body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
  await api.post(order, { 'idempotency-key': 'of an order' })
  const reused = await ask(api, 'cancel', one, { 'idempotency-key': 'of an order' })
  assert.deepEqual([reused.status, reused.body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
  assert.equal((await requestsIn(api)).length, 1)
})

test('a change in effect gets 200 without a request; an impossible change gets 409 with the reason', async t => {
  const api = await createOrderApi(t)
  const answers = async (changeRequest: string, ...facts: Partial<OrderChange>[]) => {
    const orderID = newID()
    await project(api, orderID, ...facts)
    const { status, body } = await ask(api, changeRequest, orderID)
    return [status, body.code ?? body.status]
  }
  assert.deepEqual(await answers('cancel', created(), reserved(), released), [200, 'cancelled'])
  assert.deepEqual(await answers('confirm', created(9), reserved(99_000), confirmed), [200, 'confirmed'])
  assert.deepEqual(await answers('cancel', created(), failed), [409, 'ORDER_FAILED'])
  assert.deepEqual(await answers('confirm', created(), reserved()), [409, 'ORDER_HAS_NO_HOLD'])
  assert.deepEqual(await answers('confirm', created(9), failed), [409, 'ORDER_FAILED'])
  assert.deepEqual(await answers('confirm', created(9), reserved(99_000), released), [409, 'ORDER_CANCELLED'])
  assert.deepEqual(await requestsIn(api), [])
})

test('Prefer: wait gets 200 once the change is in effect, 409 if another change was first, and 202 if neither is in time', async t => {
  const api = await createOrderApi(t)
  const waitFor = async (changeRequest: string, ...facts: Partial<OrderChange>[]) => {
    const orderID = newID()
    await project(api, orderID, created(9), reserved(99_000))
    const before = (await requestsIn(api)).length
    const asking = ask(api, changeRequest, orderID, { prefer: facts.length === 0 ? 'wait=0' : 'wait=20' })
    while ((await requestsIn(api)).length === before) await new Promise(resolve => setImmediate(resolve))
    await project(api, orderID, ...facts)
    const { status, body } = await asking
    return [status, body.code ?? body.status]
  }
  assert.deepEqual(await waitFor('confirm', confirmed), [200, 'confirmed'])
  assert.deepEqual(await waitFor('cancel', released), [200, 'cancelled'])
  assert.deepEqual(await waitFor('confirm', released), [409, 'ORDER_CANCELLED'])
  assert.deepEqual(await waitFor('cancel'), [202, 'reserved'])
})

test('a confirm request waits for the outcome of its order', async t => {
  const api = await createOrderApi(t)
  const orderID = newID()
  await project(api, orderID, created(9))
  const asking = ask(api, 'confirm', orderID)
  await project(api, orderID, reserved(99_000))
  assert.deepEqual([(await asking).status, (await requestsIn(api)).length], [202, 1])
})

test('an unknown order gets 404, an unavailable broker gets 503', async t => {
  const api = await createOrderApi(t)
  assert.equal((await ask(api, 'cancel', '01893e5c-0000-7000-8000-000000000000')).status, 404)
  const orderID = newID()
  await project(api, orderID, created())
  api.broker.failNextSend(new KafkaError('DELIVERY_TIMEOUT', 'for the test', { retryable: true }))
  const { status, headers } = await ask(api, 'cancel', orderID)
  assert.deepEqual([status, headers['retry-after']], [503, '1'])
})
