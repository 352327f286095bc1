import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createOrderClient, OrderApiError, type OrderClientOptions, type PlaceOrder } from './index.ts'

const order: PlaceOrder = { userID: 'ada', items: [{ sku: 'TEA', quantity: 1 }], total: 6.5 }
const links = { self: '/orders/1', events: '/orders/1/events' }
const accepted = { status: 202, body: { orderID: '1', status: 'accepted', links } }

interface Answer {
  /** HTTP status; 0 breaks the connection. */
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
  /** Breaks the connection in the middle of the body. */
  readonly isCut?: boolean
}

/** Creates a client of a server that sends these responses in turn and repeats the last one. */
async function clientOf(t: TestContext, answers: readonly Answer[], options: Partial<OrderClientOptions> = {}) {
  const asked: { readonly request: IncomingMessage; readonly body: string }[] = []
  const server = createServer(async (request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] as Answer
    asked.push({ request, body: await text(request) })
    if (answer.status === 0) return request.socket.destroy()
    const type = answer.status < 400 ? 'application/json' : 'application/problem+json'
    const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {})
    const length = answer.isCut ? { 'content-length': String(body.length + 1) } : {}
    response.writeHead(answer.status, { 'content-type': type, ...length, ...answer.headers })
    if (answer.isCut) response.write(body, () => request.socket.destroy())
    else response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, client: createOrderClient({ baseURL, apiKey: 'orderly_x', ...options }) }
}

const keysOf = (asked: readonly { readonly request: IncomingMessage }[]) =>
  asked.map(({ request }) => request.headers['idempotency-key'])

test('an order is retried with the same key until its response is final', async t => {
  const conflict = {
    status: 409,
    headers: { 'retry-after': '0' },
    body: { code: 'IDEMPOTENCY_KEY_IN_USE', detail: 'wait' }
  }
  const replayed = { ...accepted, headers: { 'idempotent-replayed': 'true' } }
  const { client, asked } = await clientOf(t, [
    { status: 503 },
    { status: 0 },
    { ...accepted, isCut: true },
    conflict,
    replayed
  ])
  const placed = await client.placeOrder(order)
  assert.deepEqual(placed, { orderID: '1', links, isReplay: true, idempotencyKey: placed.idempotencyKey })
  assert.equal(asked.length, 5)
  assert.deepEqual(new Set(keysOf(asked)), new Set([`"${placed.idempotencyKey}"`]))
  assert.ok(
    asked.every(({ request, body }) => request.headers.authorization === 'Bearer orderly_x' && body.includes('ada'))
  )
})

test('an order without a key is not retried if it may have been placed', async t => {
  for (const status of [503, 0]) {
    const { client, asked } = await clientOf(t, [{ status }])
    await assert.rejects(client.placeOrder(order, { idempotencyKey: null }), { isUncertain: true, attempts: 1 })
    assert.deepEqual(keysOf(asked), [undefined])
  }
  const { client, asked } = await clientOf(t, [{ status: 429 }, accepted])
  assert.equal((await client.placeOrder(order, { idempotencyKey: null })).orderID, '1')
  assert.equal(asked.length, 2)
})

test('a permanent error is thrown immediately, with its problem and request id', async t => {
  const problem = { code: 'IDEMPOTENCY_KEY_REUSED', detail: 'This key belongs to another order.' }
  const { client, asked } = await clientOf(t, [{ status: 422, body: problem, headers: { 'x-request-id': 'r-7' } }])
  await assert.rejects(client.placeOrder(order, { idempotencyKey: 'k' }), (error: unknown) => {
    assert.ok(error instanceof OrderApiError)
    const { code, status, requestID, isUncertain, message } = error
    assert.deepEqual([code, status, requestID, isUncertain], ['IDEMPOTENCY_KEY_REUSED', 422, 'r-7', false])
    return message === problem.detail
  })
  assert.equal(asked.length, 1)
})

test('the message of an error names the fields that are wrong', async t => {
  const messageOf = async (errors: object[]) => {
    const body = { title: 'Invalid request', code: 'INVALID_REQUEST', detail: 'See `errors`.', errors }
    const { client } = await clientOf(t, [{ status: 400, body }])
    const error = await client.placeOrder(order).catch(error => error)
    assert.ok(error instanceof OrderApiError)
    return error.message
  }
  const fault = { pointer: '#/items/0/quantity', detail: 'must be 1 to 1,000,000' }
  assert.equal(await messageOf([fault]), 'Invalid request: `items/0/quantity` must be 1 to 1,000,000')
  const header = { in: 'header', pointer: '#/idempotency-key', detail: 'must be one key' }
  assert.equal(
    await messageOf([header, { pointer: '#', detail: 'is required' }]),
    'Invalid request: header `idempotency-key` must be one key; the body is required'
  )
  assert.match(await messageOf(Array(9).fill(fault)), /; and 4 more$/)
  assert.equal(await messageOf([]), 'See `errors`.')
})

test('the outcome is uncertain only for a conflict with a request in flight', async t => {
  const conflictOf = (code: string) => ({ status: 409, body: { code, detail: code } })
  for (const code of ['ORDER_FAILED', 'ORDER_EXPIRED', 'ORDER_CANCELLED', 'ORDER_HAS_NO_HOLD']) {
    const { client, asked } = await clientOf(t, [conflictOf(code)])
    await assert.rejects(client.confirmOrder('1'), { code, isUncertain: false })
    await assert.rejects(client.cancelOrder('1'), { code, isUncertain: false })
    assert.equal(asked.length, 2)
  }
  // The deadline leaves no time for a retry.
  const notYet = { ...conflictOf('ORDER_PENDING'), headers: { 'retry-after': '1' } }
  const { client } = await clientOf(t, [notYet], { deadlineMs: 500 })
  await assert.rejects(client.confirmOrder('1'), { code: 'ORDER_PENDING', isUncertain: false })
  const inFlight = { ...conflictOf('IDEMPOTENCY_KEY_IN_USE'), headers: { 'retry-after': '1' } }
  const busy = await clientOf(t, [inFlight], { deadlineMs: 500 })
  await assert.rejects(busy.client.placeOrder(order), { code: 'IDEMPOTENCY_KEY_IN_USE', isUncertain: true })
})

test('the client waits for Retry-After, or fails immediately if it exceeds the deadline', async t => {
  const busy = { status: 503, headers: { 'retry-after': '1' } }
  const patient = await clientOf(t, [busy, accepted])
  const startMs = performance.now()
  await patient.client.placeOrder(order)
  assert.ok(performance.now() - startMs >= 1_000)
  const hurried = await clientOf(t, [busy], { deadlineMs: 900 })
  await assert.rejects(hurried.client.placeOrder(order), { status: 503, attempts: 1 })
})

test('the deadline ends a call even if its attempts get no response', async t => {
  const server = createServer(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createOrderClient({ baseURL, attemptTimeoutMs: 50, deadlineMs: 400 })
  await assert.rejects(client.placeOrder(order), (error: unknown) => {
    assert.ok(error instanceof OrderApiError)
    assert.deepEqual([error.code, error.status, error.isUncertain], ['NO_ANSWER', undefined, true])
    return error.attempts > 1
  })
})

test('an aborted signal ends a call with the reason of the signal', async t => {
  const { client } = await clientOf(t, [{ status: 503 }])
  const signal = AbortSignal.abort(new Error('not any more'))
  await assert.rejects(client.placeOrder(order, { signal }), /not any more/)
})

test('with retries disabled, a call is one request', async t => {
  const { client, asked } = await clientOf(t, [{ status: 503 }], { retries: false })
  await assert.rejects(client.placeOrder(order), { status: 503 })
  assert.equal(asked.length, 1)
})

test('only the orders of a batch with transient results are retried, each with its key', async t => {
  const result = (index: number, status: number) => ({
    index,
    status,
    ...(status === 202 && { orderID: `o-${index}` })
  })
  const { client, asked } = await clientOf(t, [
    { status: 200, body: { results: [result(0, 202), result(1, 503), result(2, 400), result(3, 503)] } },
    { status: 200, body: { results: [result(0, 202), result(1, 202)] } }
  ])
  const results = await client.placeOrders([1, 2, 3, 4].map(total => ({ ...order, total })))
  assert.deepEqual(
    results.map(({ index, status }) => [index, status]),
    [
      [0, 202],
      [1, 202],
      [2, 400],
      [3, 202]
    ]
  )
  const sent = asked.map(({ body }) => JSON.parse(body) as { total: number; idempotencyKey: string }[])
  assert.deepEqual(sent[1], [sent[0]?.[1], sent[0]?.[3]])
  assert.equal(new Set(sent[0]?.map(({ idempotencyKey }) => idempotencyKey)).size, 4)
})

test('in a batch, a conflict is retried for the first order with a key and not for the second', async t => {
  const conflict = { status: 409, problem: { code: 'IDEMPOTENCY_KEY_IN_USE' } }
  const { client, asked } = await clientOf(t, [
    { status: 0 },
    {
      status: 200,
      body: {
        results: [
          { index: 0, ...conflict },
          { index: 1, ...conflict }
        ]
      }
    },
    { status: 200, body: { results: [{ index: 0, status: 202, orderID: 'o-1' }] } }
  ])
  const twice = { ...order, idempotencyKey: 'k' }
  const results = await client.placeOrders([twice, twice])
  assert.deepEqual(
    results.map(({ index, status }) => [index, status]),
    [
      [0, 202],
      [1, 409]
    ]
  )
  assert.deepEqual(
    asked.map(({ body }) => JSON.parse(body).length),
    [2, 2, 1]
  )
})

test('listOrders requests pages only as needed', async t => {
  const page = (ids: string[], nextCursor?: string) => ({
    status: 200,
    body: { orders: ids.map(orderID => ({ orderID })), ...(nextCursor !== undefined && { nextCursor }) }
  })
  const { client, asked } = await clientOf(t, [page(['3', '2'], 'c'), page(['1'])])
  const seen: string[] = []
  for await (const { orderID } of client.listOrders('a&b', { pageSize: 2 })) {
    seen.push(orderID)
    assert.equal(asked.length, seen.length < 3 ? 1 : 2)
  }
  assert.deepEqual(seen, ['3', '2', '1'])
  assert.deepEqual(
    asked.map(({ request }) => request.url),
    ['/orders?userID=a%26b&limit=2', '/orders?userID=a%26b&limit=2&cursor=c']
  )
})

test('a broken stream is resumed after the last event until it is complete', async t => {
  const stream = { 'content-type': 'text/event-stream' }
  const event = (id: string, status: string) =>
    `: alive\n\nid: ${id}\r\nevent: status\ndata: {"status":"${status}"}\n\n`
  const { client, asked } = await clientOf(t, [
    { status: 200, headers: stream, body: `retry: 1000\n\n${event('a', 'accepted')}id: b\nda`, isCut: true },
    { status: 200, headers: stream, body: event('b', 'reserved') },
    { status: 204 }
  ])
  const seen: string[] = []
  for await (const { status } of client.watchOrder('1')) seen.push(status)
  assert.deepEqual(seen, ['accepted', 'reserved'])
  assert.deepEqual(
    asked.map(({ request }) => request.headers['last-event-id']),
    [undefined, 'a', 'b']
  )
})

test('all attempts of a change request share an idempotency key, and each call has a new one', async t => {
  const { client, asked } = await clientOf(t, [
    { status: 503, headers: { 'retry-after': '0' } },
    { status: 202, body: {} },
    { status: 202, body: {} }
  ])
  await client.cancelOrder('1')
  await client.cancelOrder('1')
  await client.cancelOrder('1', { idempotencyKey: 'k' })
  const [first, again, second, named] = keysOf(asked)
  assert.equal(first, again)
  assert.notEqual(first, second)
  assert.equal(named, '"k"')
})

test('a wrong argument is refused before any request, with its name and limits', async t => {
  const { client, asked } = await clientOf(t, [accepted])
  const refused: [() => unknown, RegExp][] = [
    [() => client.placeOrder(order, { waitSeconds: 31 }), /`waitSeconds` must be an integer from 0 to 30 \(got 31\)/],
    [() => client.placeOrder(order, { idempotencyKey: '' }), /`idempotencyKey` must be a string that is not empty/],
    [() => client.cancelOrder('1', { waitSeconds: 0.5 }), /`waitSeconds`/],
    [() => client.getOrder(''), /`orderID` must be a string that is not empty \(got ""\)/],
    [() => client.confirmOrder(undefined as never), /`orderID` must be .* \(got undefined\)/],
    [() => client.placeOrders([]), /`orders.length` must be an integer from 1 to 500 \(got 0\)/],
    [() => client.listOrders('ada', { pageSize: 101 }).next(), /`pageSize` must be an integer from 1 to 100/],
    [() => client.watchOrder('').next(), /`orderID`/]
  ]
  for (const [call, message] of refused) await assert.rejects(async () => call(), { message })
  assert.equal(asked.length, 0)
})

test('a wrong option is refused by its name', () => {
  const wrong: [Partial<OrderClientOptions>, RegExp][] = [
    [{ baseURL: 'orders.example' }, /`baseURL` must be an http or https URL without query and fragment/],
    [{ baseURL: 'ftp://orders.example' }, /`baseURL`/],
    [{ baseURL: 'http://orders.example?x=1' }, /`baseURL`/],
    [{ baseURL: 'http://a:secret@orders.example' }, /`baseURL` must not contain a user or password/],
    [{ deadlineMs: 0 }, /`deadlineMs` must be an integer from 1 to 2147483647 \(got 0\)/],
    [{ attemptTimeoutMs: Number.NaN }, /`attemptTimeoutMs`/],
    [{ apiKey: '' }, /`apiKey` must be a string that is not empty/]
  ]
  for (const [options, message] of wrong)
    assert.throws(() => createOrderClient({ baseURL: 'http://orders.example', ...options }), { message })
})

test('a silent stream is closed and resumed, and leaving the loop closes the connection', async t => {
  const seen: (string | string[] | undefined)[] = []
  let open = 0
  const server = createServer((request, response) => {
    open++
    response.on('close', () => open--)
    seen.push(request.headers['last-event-id'])
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`id: e-${seen.length}\ndata: {"status":"accepted"}\n\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createOrderClient({ baseURL, streamIdleTimeoutMs: 50 })
  for await (const _ of client.watchOrder('1')) if (seen.length === 3) break
  assert.deepEqual(seen, [undefined, 'e-1', 'e-2'])
  while (open > 0) await new Promise(setImmediate)
})

test('a placed order has its token, which another client sends in place of a key', async t => {
  const withToken = { ...accepted, headers: { 'order-token': 'ot1.x' } }
  const { client, asked } = await clientOf(t, [withToken, accepted, accepted])
  assert.equal((await client.placeOrder(order)).orderToken, 'ot1.x')
  assert.ok(!('orderToken' in (await client.placeOrder(order))))
  const page = await clientOf(t, [accepted], { apiKey: undefined, orderToken: 'ot1.x' })
  await page.client.getOrder('1')
  assert.deepEqual(
    [asked[0], page.asked[0]].map(own => own?.request.headers.authorization),
    ['Bearer orderly_x', 'Bearer ot1.x']
  )
  assert.throws(() => createOrderClient({ baseURL: 'http://a', apiKey: 'k', orderToken: 't' }), {
    name: 'TypeError',
    message: /`apiKey` and `orderToken` exclude each other/
  })
  assert.throws(() => createOrderClient({ baseURL: 'http://a', orderToken: '' }), { message: /`orderToken`/ })
})
