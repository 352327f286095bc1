import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newID } from '@orderly/service-kit'
import { anOrder, createOrderApi, type OrderApi } from '../testing/order-api.ts'

async function project({ orders }: OrderApi, orderID: string, userID = 'ann'): Promise<void> {
  const items = [{ sku: 'MUG', quantity: 1 }]
  const place = { partition: 0, offset: 1 }
  const created = { items, totalMinor: 1_234, currency: 'EUR', acceptedAtMs: 1_700_000_000_000, ...place }
  await orders.apply([{ orderID, userID, created }])
}

async function release({ orders }: OrderApi, orderID: string, userID = 'ann'): Promise<void> {
  const released = { releasedAtMs: 1_700_000_002_000, cause: 'cancelled', requestID: 'r', partition: 0, offset: 1 }
  await orders.apply([{ orderID, userID, released }])
}

async function decide({ orders }: OrderApi, orderID: string, userID = 'ann'): Promise<void> {
  const decided = { kind: 'reserved', decidedAtMs: 1_700_000_001_000, partition: 0, offset: 1 } as const
  await orders.apply([{ orderID, userID, decided }])
}

test('a request waits for a new order; an old or invalid id gets 404 immediately', async t => {
  const api = await createOrderApi(t)
  const orderID = newID()
  const asking = api.http.inject(`/orders/${orderID}`)
  await project(api, orderID)
  const { statusCode, headers, ...answer } = await asking
  assert.deepEqual([statusCode, headers['cache-control']], [200, 'no-store'])
  assert.deepEqual(answer.json(), {
    orderID,
    userID: 'ann',
    status: 'accepted',
    items: [{ sku: 'MUG', quantity: 1 }],
    total: 12.34,
    currency: 'EUR',
    acceptedAt: '2023-11-14T22:13:20.000Z',
    links: { self: `/orders/${orderID}`, events: `/orders/${orderID}/events` }
  })
  for (const unknown of ['01893e5c-0000-7000-8000-000000000000', 'rubbish', `${'x'.repeat(64)}`]) {
    const answer = await api.http.inject(`/orders/${unknown}`)
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [404, undefined])
  }
})

test('an unknown order of the last hour gets 404 with Retry-After immediately', async t => {
  const api = await createOrderApi(t)
  const idOf = (ms: number) =>
    ms.toString(16).padStart(12, '0').replace(/^.{8}/, '$&-').concat('-7000-8000-000000000000')
  for (const [ageMs, retryAfter] of [
    [1_800_000, '1'],
    [7_200_000, undefined]
  ] as const) {
    const answer = await api.http.inject(`/orders/${idOf(Date.now() - ageMs)}`)
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [404, retryAfter])
  }
})

test('Prefer: wait gets 200 with the outcome, or 202 if the outcome is late', async t => {
  const api = await createOrderApi(t)
  const deciding = async () => {
    for (;;) {
      const [record] = api.broker.records('orders.created')
      if (record === undefined) await new Promise(resolve => setImmediate(resolve))
      else return decide(api, String(record.headers['event-id']).slice('OrderCreated-'.length))
    }
  }
  const placing = api.post(anOrder, { prefer: 'respond-async, wait=20' })
  await deciding()
  const [record] = api.broker.records('orders.created')
  const orderID = String(record?.headers['event-id']).slice('OrderCreated-'.length)
  await project(api, orderID)
  const { status, headers, body } = await placing
  assert.deepEqual([status, headers['preference-applied'], body.status], [200, 'wait=20', 'reserved'])
  const late = await api.post(anOrder, { prefer: 'wait=0' })
  assert.deepEqual([late.status, late.headers['preference-applied']], [202, 'wait=0'])
  const none = await api.post(anOrder, { prefer: 'handling=lenient' })
  assert.deepEqual([none.status, none.headers['preference-applied']], [202, undefined])
})

test('a cursor selects the next page, for the same list only', async t => {
  const api = await createOrderApi(t)
  const ids = Array.from({ length: 3 }, newID)
  for (const id of ids) await project(api, id)
  const first = (await api.http.inject('/orders?userID=ann&limit=2')).json()
  assert.equal(first.orders.length, 2)
  const next = `&cursor=${first.nextCursor}`
  const second = (await api.http.inject(`/orders?userID=ann&limit=2${next}`)).json()
  assert.deepEqual([second.orders.length, second.nextCursor], [1, undefined])
  for (const query of [
    `userID=bob${next}`,
    `userID=ann&status=accepted${next}`,
    next.slice(1),
    'userID=ann&cursor=rubbish',
    'userID=ann&limit=0',
    'userID=ann&limit=101',
    'status=lost',
    'x=1'
  ]) {
    assert.equal((await api.http.inject(`/orders?${query}`)).statusCode, 400, query)
  }
})

test('orders of all users are listed by status, SKU and time', async t => {
  const api = await createOrderApi(t)
  const [older = '', newer = ''] = [newID(), newID()].sort()
  await project(api, older, 'bob')
  await project(api, newer)
  await decide(api, older, 'bob')
  const listed = async (query: string) => {
    const { statusCode, ...answer } = await api.http.inject(`/orders?${query}`)
    return statusCode === 200 ? answer.json().orders.map(({ orderID }: { orderID: string }) => orderID) : answer.json()
  }
  assert.deepEqual(await listed(''), [newer, older])
  assert.deepEqual(await listed('status=reserved&sku=MUG'), [older])
  assert.deepEqual(await listed('status=accepted&acceptedFrom=2023-11-14T22:13Z'), [newer])
  assert.deepEqual(await listed('acceptedUntil=2023-11-14T22:13:20Z'), [])
  const { code, errors } = await listed('acceptedFrom=2023-13-14T22:13Z')
  assert.deepEqual([code, errors[0].pointer], ['INVALID_REQUEST', '#/acceptedFrom'])
})

test('the number of streams is limited; a stream has heartbeats and ends after the outcome', async t => {
  const api = await createOrderApi(t, { streamLimits: { total: 1, perCaller: 1 }, heartbeatMs: 5 })
  const address = await api.listen()
  const orderID = newID()
  await project(api, orderID)
  const stream = await fetch(`${address}/orders/${orderID}/events`)
  assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes(': still here')) text += (await reader.read()).value
  const refused = await fetch(`${address}/orders/${orderID}/events`)
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
  await decide(api, orderID)
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) text += chunk.value
  const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
  assert.deepEqual(ids, [`OrderCreated-${orderID}`, `InventoryReserved-${orderID}`])
  assert.equal((await fetch(`${address}/orders/${orderID}/events`)).status, 200)
  assert.equal((await fetch(`${address}/orders/${orderID}/events`, { method: 'HEAD' })).status, 405)
})

test('a stream with until=final continues after a status that can still be cancelled', async t => {
  const api = await createOrderApi(t)
  const address = await api.listen()
  const orderID = newID()
  await project(api, orderID)
  await decide(api, orderID)
  const events = (query: string, lastID?: string) =>
    fetch(`${address}/orders/${orderID}/events${query}`, { headers: lastID ? { 'last-event-id': lastID } : {} })
  const reported = (text: string) =>
    [...text.matchAll(/^data: (.*)$/gm)]
      .map(([, data]) => JSON.parse(String(data)))
      .map(({ status, isFinal }) => [status, isFinal])
  assert.deepEqual(reported(await (await events('')).text()), [
    ['accepted', false],
    ['reserved', false]
  ])
  assert.equal((await events('?until=settled', `InventoryReserved-${orderID}`)).status, 204)
  const open = await events('?until=final', `InventoryReserved-${orderID}`)
  assert.equal(open.status, 200)
  await release(api, orderID)
  assert.deepEqual(reported(await open.text()), [['cancelled', true]])
  assert.equal((await events('?until=final', `InventoryReleased-${orderID}-r`)).status, 204)
  assert.equal((await events('?until=ever')).status, 400)
})
