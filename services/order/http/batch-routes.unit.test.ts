import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordLog } from '@orderly/service-kit/testing'
import { createMemoryKeyStore } from '../store/testing/memory-keys.ts'
import { anOrder, createOrderApi, nowMs, type OrderApi } from '../testing/order-api.ts'

async function postBatch({ http }: OrderApi, payload: string, headers: Record<string, string> = {}) {
  const type = { 'content-type': 'application/json' }
  const answer = await http.inject({ method: 'POST', url: '/orders/batch', payload, headers: { ...type, ...headers } })
  return { status: answer.statusCode, body: answer.json() }
}

const ndjson = { 'content-type': 'application/x-ndjson' }

test('each order of a batch is accepted or refused separately', async t => {
  const api = await createOrderApi(t)
  const orders = [anOrder, { ...anOrder, items: [] }, { ...anOrder, total: 1.005 }, null, { ...anOrder, userID: 'bob' }]
  const { status, body } = await postBatch(api, JSON.stringify(orders))
  assert.equal(status, 200)
  assert.deepEqual(
    body.results.map(({ index, status }: { index: number; status: number }) => [index, status]),
    [202, 400, 400, 400, 202].map((status, index) => [index, status])
  )
  assert.deepEqual(body.results[1].problem.errors, [{ pointer: '#/items', detail: 'must have at least 1 item' }])
  assert.equal(body.results[4].links.self, `/orders/${body.results[4].orderID}`)
  const written = api.broker.records('orders.created').map(({ headers }) => headers['event-id'])
  const accepted = [body.results[0], body.results[4]].map(({ orderID }) => `OrderCreated-${orderID}`)
  assert.deepEqual(written.sort(), accepted.sort())
})

test('a malformed line of an NDJSON batch is refused, other lines are accepted', async t => {
  const api = await createOrderApi(t)
  const { status, body } = await postBatch(
    api,
    `${JSON.stringify(anOrder)}\n{"userID":\r\n\n${JSON.stringify(anOrder)}\n`,
    ndjson
  )
  assert.equal(status, 200)
  assert.deepEqual(
    body.results.map((result: { status: number }) => result.status),
    [202, 400, 202]
  )
  assert.equal(body.results[1].problem.code, 'INVALID_JSON')
})

test('orders of a batch have separate idempotency keys', async t => {
  const api = await createOrderApi(t)
  const batch = JSON.stringify([
    { ...anOrder, idempotencyKey: 'a' },
    { ...anOrder, idempotencyKey: 'b' },
    { ...anOrder, idempotencyKey: 'a' }
  ])
  const first = (await postBatch(api, batch)).body.results
  const again = (await postBatch(api, batch)).body.results
  assert.deepEqual(
    first.map((result: { status: number }) => result.status),
    [202, 202, 409]
  )
  assert.deepEqual(again.slice(0, 2), first.slice(0, 2))
  assert.equal((await api.post(anOrder, { 'idempotency-key': 'a' })).body.orderID, first[0].orderID)
  assert.equal(api.broker.records('orders.created').length, 2)
  assert.equal((await postBatch(api, batch, { 'idempotency-key': 'x' })).status, 400)
})

test('an invalid batch is refused as a whole', async t => {
  const api = await createOrderApi(t)
  const tooMany = Array.from({ length: 501 }, () => anOrder)
  for (const body of ['[]', '{}', '[', JSON.stringify(tooMany)]) assert.equal((await postBatch(api, body)).status, 400)
  const lines = tooMany.map(order => JSON.stringify(order)).join('\n')
  assert.equal((await postBatch(api, lines, ndjson)).status, 400)
  assert.equal((await postBatch(api, '', ndjson)).status, 400)
  const csv = await postBatch(api, 'x', { 'content-type': 'text/csv' })
  assert.deepEqual([csv.status, csv.body.detail], [415, 'Send the body as application/json or application/x-ndjson.'])
  const nothing = await api.http.inject({ method: 'POST', url: '/orders/batch' })
  assert.deepEqual([nothing.statusCode, nothing.json().errors], [400, [{ pointer: '#', detail: 'is required' }]])
  assert.equal((await postBatch(api, `[${' '.repeat(5_000_000)}]`)).status, 413)
  assert.equal((await api.post('{}', ndjson)).status, 415)
  assert.equal(api.broker.records('orders.created').length, 0)
})

test('an order with an internal error fails alone and is logged with the ids of its request', async t => {
  const { logger, lines } = recordLog()
  const claim = () => Promise.reject(new Error('internal error for the test'))
  const api = await createOrderApi(t, { logger, keys: { ...createMemoryKeyStore(() => nowMs), claim } })
  const orders = JSON.stringify([anOrder, { ...anOrder, idempotencyKey: 'a' }])
  const { body } = await postBatch(api, orders, { 'x-request-id': 'batch-7' })
  assert.deepEqual(
    body.results.map((result: { status: number }) => result.status),
    [202, 500]
  )
  assert.equal(body.results[1].problem.code, 'INTERNAL_ERROR')
  assert.deepEqual(
    lines.map(({ msg, requestID }) => [msg, requestID]),
    [['request failed', 'batch-7']]
  )
  assert.match(String(lines[0]?.traceID), /^[0-9a-f]{32}$/)
})
