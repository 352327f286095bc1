import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { createAPIKeyCache } from '@orderly/callers'
import { createMemoryApiKeyStore, grantKey } from '@orderly/callers/testing'
import { newID } from '@orderly/service-kit'
import { silentLogger } from '@orderly/service-kit/testing'
import { anOrder, createOrderApi, type OrderApiOptions } from '../testing/order-api.ts'

async function open(t: TestContext, options: OrderApiOptions = {}, requestsPerMinute = 1_000_000) {
  const store = createMemoryApiKeyStore()
  const callers = createAPIKeyCache(store, {
    ...{ refreshMs: 5, trustMs: 3_600_000, requestsPerMinute, leastGapMs: 0 },
    logger: silentLogger()
  })
  t.after(() => callers.stop())
  const api = await createOrderApi(t, { callers, ...options })
  const address = await api.listen()
  const grant = async (name: string) => ({
    authorization: `Bearer ${await grantKey(store, { name, role: 'shop' })}`
  })
  /** Stores an order of the caller without an outcome. @returns its URL */
  const place = async (caller: string) => {
    const orderID = newID()
    const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 0, caller, partition: 0, offset: 0 }
    await api.orders.apply([{ orderID, userID: 'ann', created }])
    return `${address}/orders/${orderID}`
  }
  return { api, address, store, grant, place }
}

describe('streams', () => {
  test('a caller can open its share of the streams and no more', async t => {
    const { grant, place } = await open(t, { streamLimits: { total: 3, perCaller: 2 } })
    const [berlin, paris] = [await grant('berlin'), await grant('paris')]
    const [ours, theirs] = [await place('berlin'), await place('paris')]
    const streams = [
      await fetch(`${ours}/events`, { headers: berlin }),
      await fetch(`${ours}/events`, { headers: berlin })
    ]
    const refusal = async (answer: Response) => {
      const { code } = (await answer.json()) as { code: string }
      return [answer.status, code, answer.headers.get('retry-after')]
    }
    assert.deepEqual(await refusal(await fetch(`${ours}/events`, { headers: berlin })), [429, 'TOO_MANY_STREAMS', '1'])
    streams.push(await fetch(`${theirs}/events`, { headers: paris }))
    assert.equal(streams[2]?.status, 200)
    assert.deepEqual(await refusal(await fetch(`${theirs}/events`, { headers: paris })), [503, 'TOO_MANY_STREAMS', '1'])
    await streams[0]?.body?.cancel()
    while ((await fetch(`${ours}/events`, { headers: berlin, method: 'GET' })).status !== 200);
  })

  test('a stream ends after its API key is revoked, and other streams of the caller stay open', async t => {
    const { store, grant, place } = await open(t)
    const [first, second] = [await grant('berlin'), await grant('berlin')]
    const order = await place('berlin')
    const streams = [
      await fetch(`${order}/events`, { headers: first }),
      await fetch(`${order}/events`, { headers: second })
    ]
    await store.revoke({ id: first.authorization.split('_')[1] as string })
    assert.match((await streams[0]?.text()) ?? '', /"accepted"/)
    assert.equal((await fetch(`${order}/events`, { headers: first })).status, 401)
    const reader = streams[1]?.body?.getReader()
    assert.equal((await reader?.read())?.done, false)
    await reader?.cancel()
  })
})

test('a request beyond the share of waiting requests is answered without a wait, requests of other callers wait', async t => {
  const { address, api, grant } = await open(t, { waiterLimits: { total: 2, perCaller: 1 } })
  const [berlin, paris] = [await grant('berlin'), await grant('paris')]
  const headers = { 'content-type': 'application/json', prefer: 'wait=30' }
  const post = async (caller: Record<string, string>, signal?: AbortSignal) => {
    const body = JSON.stringify(anOrder)
    const answer = await fetch(`${address}/orders`, {
      method: 'POST',
      body,
      headers: { ...headers, ...caller },
      signal: signal ?? null
    })
    return [answer.status, answer.headers.get('preference-applied')]
  }
  const leaving = new AbortController()
  const placed = () => api.broker.records('orders.created').length
  const waiting = [post(berlin, leaving.signal)]
  while (placed() < 1) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(await post(berlin), [202, null])
  waiting.push(post(paris, leaving.signal))
  while (placed() < 3) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(await post(await grant('rome')), [202, null])
  leaving.abort()
  await Promise.allSettled(waiting)
})

test('concurrent batches cannot exceed the quota, because a batch reserves it for all orders first', async t => {
  const { address, api, grant } = await open(t, {}, 100)
  const berlin = await grant('berlin')
  const post = async (count: number) => {
    const body = JSON.stringify(Array.from({ length: count }, () => anOrder))
    const headers = { 'content-type': 'application/json', ...berlin }
    const answer = await fetch(`${address}/orders/batch`, { method: 'POST', body, headers })
    const { code } = (await answer.json()) as { code?: string }
    return { status: answer.status, code, retryAfter: Number(answer.headers.get('retry-after')) }
  }
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(40)))
  assert.deepEqual(Object.keys(Object.groupBy(answers, ({ status }) => String(status))), ['200', '429'])
  assert.equal(answers.filter(({ status }) => status === 200).length, 2)
  assert.equal(api.broker.records('orders.created').length, 80)
  assert.ok(answers.every(({ status, retryAfter }) => status === 200 || (retryAfter >= 10 && retryAfter <= 60)))
  const never = await post(101)
  assert.ok(never.status === 429 || (never.status === 400 && never.code === 'QUOTA_TOO_SMALL'), JSON.stringify(never))
})

describe('Idempotency-Key', () => {
  test('a key is the same with and without quotes, and in a batch', async t => {
    const { post, http } = await createOrderApi(t)
    const first = await post(anOrder, { 'idempotency-key': 'abc' })
    const again = await post(anOrder, { 'idempotency-key': '"abc"' })
    assert.deepEqual([again.status, again.body.orderID], [202, first.body.orderID])
    const special = await post(anOrder, { 'idempotency-key': '"a, \\"b\\" \\\\"' })
    const payload = ['abc', 'a, "b" \\'].map(idempotencyKey => ({ ...anOrder, idempotencyKey }))
    const { results } = (await http.inject({ method: 'POST', url: '/orders/batch', payload })).json()
    const ids = results.map(({ orderID }: { orderID: string }) => orderID)
    assert.deepEqual(ids, [first.body.orderID, special.body.orderID])
  })

  test('a malformed key is refused with the name of the header', async t => {
    const { post } = await createOrderApi(t)
    for (const key of [
      '""',
      '"abc',
      'abc"',
      '"abc";a=1',
      '"a", "b"',
      'a, b',
      '"a\\b"',
      '"a"b"',
      `"${'x'.repeat(256)}"`,
      'ü'
    ]) {
      const { status, body } = await post(anOrder, { 'idempotency-key': key })
      assert.deepEqual([status, body.errors?.[0].pointer], [400, '#/idempotency-key'], key)
    }
  })

  test('a header that is sent twice is refused', async t => {
    const { listen, broker } = await createOrderApi(t)
    const { hostname, port } = new URL(await listen())
    for (const keys of [
      ['a', 'b'],
      ['a', 'a'],
      ['"a"', '"a"']
    ]) {
      const socket = connect(Number(port), hostname)
      const body = JSON.stringify(anOrder)
      const head = ['POST /orders HTTP/1.1', 'Host: localhost', 'Connection: close', 'Content-Type: application/json']
      const lines = [...head, `Content-Length: ${body.length}`, ...keys.map(key => `Idempotency-Key: ${key}`)]
      socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
      assert.match(await text(socket), /^HTTP\/1\.1 400 [\s\S]*#\/idempotency-key/)
    }
    assert.equal(broker.records('orders.created').length, 0)
  })
})
