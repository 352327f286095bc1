import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAPIKeyCache } from '@orderly/callers'
import { createMemoryApiKeyStore, grantKey } from '@orderly/callers/testing'
import { newID } from '@orderly/service-kit'
import { silentLogger } from '@orderly/service-kit/testing'
import { anOrder, createOrderApi } from './testing/order-api.ts'

test('records about an order have the key of the caller that placed it, even if an operator requests the change', async t => {
  const store = createMemoryApiKeyStore()
  const callers = createAPIKeyCache(store, {
    refreshMs: 3_600_000,
    trustMs: 3_600_000,
    requestsPerMinute: 1_000,
    logger: silentLogger()
  })
  t.after(() => callers.stop())
  const as = async (name: string, role: 'shop' | 'operator') => {
    return { authorization: `Bearer ${await grantKey(store, { name, role })}` }
  }
  const [berlin, paris, operator] = [await as('berlin', 'shop'), await as('paris', 'shop'), await as('ops', 'operator')]
  const api = await createOrderApi(t, { callers })
  const ownersIn = (topic: string) => api.broker.records(topic).map(({ key, headers }) => [key, headers.caller])

  await t.test('orders with and without an idempotency key, and in a batch', async () => {
    const order = { ...anOrder, userID: 'ada' }
    await api.post(order, berlin)
    await api.post(order, { ...paris, 'idempotency-key': 'one' })
    const batch = [order, { ...order, idempotencyKey: 'two' }]
    await api.http.inject({ method: 'POST', url: '/orders/batch', payload: batch, headers: berlin })
    assert.deepEqual(ownersIn('orders.created').sort(), [
      ...Array.from({ length: 3 }, () => ['berlin\u001fada', 'berlin']),
      ['paris\u001fada', 'paris']
    ])
  })

  await t.test('a cancel request by an operator', async () => {
    const orderID = newID()
    const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, caller: 'berlin' }
    await api.orders.apply([{ orderID, userID: 'ada', created: { ...created, partition: 0, offset: 1 } }])
    const cancel = (headers: Record<string, string>) =>
      api.http.inject({ method: 'POST', url: `/orders/${orderID}/cancel`, headers })
    assert.equal((await cancel(paris)).statusCode, 404)
    assert.equal((await cancel(operator)).statusCode, 202)
    assert.deepEqual(ownersIn('orders.changes'), [['berlin\u001fada', 'berlin']])
  })
})

test("a cursor of one caller's list is refused for the list of another caller", async t => {
  const store = createMemoryApiKeyStore()
  const options = { refreshMs: 3_600_000, trustMs: 3_600_000, requestsPerMinute: 1_000, logger: silentLogger() }
  const callers = createAPIKeyCache(store, options)
  t.after(() => callers.stop())
  const [berlin, paris] = [
    `Bearer ${await grantKey(store, { name: 'berlin', role: 'shop' })}`,
    `Bearer ${await grantKey(store, { name: 'paris', role: 'shop' })}`
  ]
  const api = await createOrderApi(t, { callers })
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, partition: 0, offset: 1 }
  for (const caller of ['berlin', 'berlin', 'paris']) {
    await api.orders.apply([{ orderID: newID(), userID: 'ada', created: { ...created, caller } }])
  }
  const list = async (authorization: string, query = '') =>
    (await api.http.inject({ url: `/orders?userID=ada&limit=1${query}`, headers: { authorization } })).json()
  const { nextCursor } = await list(berlin)
  assert.equal((await list(paris)).orders.length, 1)
  assert.equal((await list(berlin, `&cursor=${nextCursor}`)).orders[0].caller, 'berlin')
  assert.equal((await list(paris, `&cursor=${nextCursor}`)).code, 'INVALID_CURSOR')
})

test('a shop lists the orders of one user, and an operator those of all shops', async t => {
  const store = createMemoryApiKeyStore()
  const options = { refreshMs: 3_600_000, trustMs: 3_600_000, requestsPerMinute: 1_000, logger: silentLogger() }
  const callers = createAPIKeyCache(store, options)
  t.after(() => callers.stop())
  const berlin = `Bearer ${await grantKey(store, { name: 'berlin', role: 'shop' })}`
  const operator = `Bearer ${await grantKey(store, { name: 'ops', role: 'operator' })}`
  const api = await createOrderApi(t, { callers })
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, partition: 0, offset: 1 }
  for (const [orderID, caller] of [
    ['1', 'berlin'],
    ['2', 'paris']
  ] as const) {
    await api.orders.apply([{ orderID, userID: 'ada', created: { ...created, caller } }])
  }
  const list = async (authorization: string, query = '') =>
    (await api.http.inject({ url: `/orders${query}`, headers: { authorization } })).json()
  const callersOf = ({ orders }: { orders: { caller: string }[] }) => orders.map(({ caller }) => caller)
  assert.deepEqual(callersOf(await list(operator)), ['paris', 'berlin'])
  assert.deepEqual(callersOf(await list(berlin, '?userID=ada&status=accepted')), ['berlin'])
  const { code, errors } = await list(berlin, '?status=accepted')
  assert.deepEqual(
    [code, errors],
    ['INVALID_REQUEST', [{ in: 'query', pointer: '#/userID', detail: 'is required for a shop' }]]
  )
})

test('a viewer changes nothing, and support changes orders of all shops but places none', async t => {
  const store = createMemoryApiKeyStore()
  const options = { refreshMs: 3_600_000, trustMs: 3_600_000, requestsPerMinute: 1_000, logger: silentLogger() }
  const callers = createAPIKeyCache(store, options)
  t.after(() => callers.stop())
  const api = await createOrderApi(t, { callers })
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, partition: 0, offset: 1 }
  await api.orders.apply([{ orderID: 'known', userID: 'ada', created: { ...created, caller: 'berlin' } }])
  const statusesOf = async (role: 'viewer' | 'support' | 'operator') => {
    const headers = { authorization: `Bearer ${await grantKey(store, { name: role, role })}` }
    const ask = async (method: 'GET' | 'POST', url: string) =>
      (await api.http.inject({ method, url, headers })).statusCode
    return {
      list: await ask('GET', '/orders'),
      read: await ask('GET', '/orders/known'),
      cancel: await ask('POST', '/orders/known/cancel'),
      place: (await api.post(anOrder, headers)).status
    }
  }
  const reads = { list: 200, read: 200 }
  assert.deepEqual(await statusesOf('viewer'), { ...reads, cancel: 403, place: 403 })
  assert.deepEqual(await statusesOf('support'), { ...reads, cancel: 202, place: 403 })
  assert.deepEqual(await statusesOf('operator'), { ...reads, cancel: 202, place: 403 })
})
