import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAPIKeyCache } from '@orderly/callers'
import { createMemoryApiKeyStore, grantKey } from '@orderly/callers/testing'
import { createOrderClient, type PlaceOrder, type StatusNotice } from '@orderly/client'
import { silentLogger } from '@orderly/service-kit/testing'
import { everyField } from './domain/testing/every-field.ts'
import { createOrderApi } from './testing/order-api.ts'

test('every operation of the client succeeds against the API, for a caller with an API key', async t => {
  const store = createMemoryApiKeyStore()
  const callers = createAPIKeyCache(store, {
    refreshMs: 3_600_000,
    trustMs: 60_000,
    requestsPerMinute: 1_000,
    logger: silentLogger()
  })
  t.after(() => callers.stop())
  const api = await createOrderApi(t, { callers })
  await api.startProjection()
  const baseURL = await api.listen()
  const client = createOrderClient({ baseURL, apiKey: await grantKey(store, { name: 'berlin', role: 'shop' }) })
  const anOrder: Required<PlaceOrder> = { ...everyField, currency: 'USD', items: [...everyField.items] }
  const { userID } = anOrder

  /** Stores the outcome of an order, in place of the inventory. */
  const decide = (orderID: string) =>
    api.orders.apply([{ orderID, userID, decided: { kind: 'reserved', decidedAtMs: 2_000, partition: 0, offset: 0 } }])

  const placed = await client.placeOrder(anOrder, { idempotencyKey: 'k-1' })
  const again = await client.placeOrder(anOrder, { idempotencyKey: 'k-1' })
  assert.deepEqual([again.orderID, again.isReplay], [placed.orderID, true])
  await assert.rejects(client.placeOrder({ ...anOrder, total: 1 }, { idempotencyKey: 'k-1' }), {
    code: 'IDEMPOTENCY_KEY_REUSED',
    isUncertain: false
  })

  const { orderID, status, caller, acceptedAt, traceID, links, ...content } = await client.getOrder(placed.orderID)
  assert.deepEqual([orderID, status, caller], [placed.orderID, 'accepted', 'berlin'])
  assert.deepEqual(content, anOrder, 'every field is returned as it was placed')
  const listed: string[] = []
  for await (const { orderID } of client.listOrders(userID)) listed.push(orderID)
  assert.deepEqual(listed, [placed.orderID])

  const notices: StatusNotice[] = []
  for await (const notice of client.watchOrder(placed.orderID)) {
    notices.push(notice)
    if (notices.length === 1) await decide(placed.orderID)
  }
  assert.deepEqual(
    notices.map(({ status }) => status),
    ['accepted', 'reserved']
  )
  const unfinished = client.watchOrder(placed.orderID, { until: 'final' })
  const first = [(await unfinished.next()).value, (await unfinished.next()).value] as StatusNotice[]
  assert.deepEqual(
    first.map(({ isFinal }) => isFinal),
    [false, false]
  )
  await unfinished.return()
  const waited = await client.placeOrder(anOrder, { idempotencyKey: 'k-1', waitSeconds: 1 })
  assert.equal(waited.order?.status, 'reserved')

  const results = await client.placeOrders([anOrder, { ...anOrder, items: [] }])
  assert.deepEqual(
    results.map(({ status }) => status),
    [202, 400]
  )
  await assert.rejects(createOrderClient({ baseURL }).getOrder(placed.orderID), { status: 401, code: 'UNAUTHORIZED' })
  await assert.rejects(client.getOrder('nothing'), { status: 404, code: 'ORDER_NOT_FOUND' })
})
