import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { createAPIKeyCache } from '@orderly/callers'
import { createMemoryApiKeyStore, grantKey } from '@orderly/callers/testing'
import { newID } from '@orderly/service-kit'
import { silentLogger } from '@orderly/service-kit/testing'
import { anOrder, createOrderApi } from '../testing/order-api.ts'
import { createOrderTokens } from './order-token.ts'

const [secret, oldSecret] = ['s'.repeat(32), 'o'.repeat(32)]
const lifetimeMs = 60_000

/** Opens the API with two shops and an order of each. */
async function open(t: TestContext, nowMs = () => Date.now()) {
  const store = createMemoryApiKeyStore()
  const options = { refreshMs: 3_600_000, trustMs: 3_600_000, requestsPerMinute: 1_000, logger: silentLogger() }
  const callers = createAPIKeyCache(store, options)
  t.after(() => callers.stop())
  const tokens = createOrderTokens({ secrets: [secret, oldSecret], lifetimeMs, nowMs })
  const api = await createOrderApi(t, { callers, tokens, heartbeatMs: 50 })
  const [ours, others] = [newID(), newID()]
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, partition: 0, offset: 1 }
  await api.orders.apply([
    { orderID: ours, userID: 'ada', created: { ...created, caller: 'berlin' } },
    { orderID: others, userID: 'ada', created: { ...created, caller: 'paris' } }
  ])
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })
  const ask = async (url: string, token?: string, method: 'GET' | 'POST' | 'HEAD' = 'GET') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await api.http.inject({ method, url, headers })
    return [statusCode, method === 'HEAD' ? undefined : JSON.parse(body).code]
  }
  return { ...api, tokens, key, ask, ours, others }
}

const done = [200, undefined]
const unauthorized = [401, 'UNAUTHORIZED']

test('a placed order has a token, which reads the order by header and by query', async t => {
  const { post, ask, key, http, orders, ours } = await open(t)
  const placed = await post(anOrder, { authorization: `Bearer ${key}` })
  const token = String(placed.headers['order-token'])
  const { orderID } = placed.body
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 7_000, partition: 0, offset: 1 }
  await orders.apply([{ orderID, userID: 'ada', created: { ...created, caller: 'berlin' } }])
  assert.deepEqual(await ask(`/orders/${orderID}`, token), done)
  assert.deepEqual(await ask(`/orders/${orderID}?token=${token}`), done)
  assert.equal((await ask(`/orders/${orderID}`, token, 'HEAD'))[0], 200)
  assert.deepEqual(await ask(`/orders/${ours}`, token), unauthorized, "another order's token")
  const refused = await http.inject({ method: 'POST', url: '/orders', payload: {}, headers: {} })
  assert.equal(refused.headers['order-token'], undefined)
})

test('a service without secrets issues and accepts no token', async t => {
  const { tokens, ours } = await open(t)
  const api = await createOrderApi(t, { callers: { find: () => undefined } })
  assert.equal((await api.post(anOrder)).headers['order-token'], undefined)
  for (const [url, headers] of [
    [`/orders/${ours}`, { authorization: `Bearer ${tokens.issue(ours, 'berlin')}` }],
    [`/orders/${ours}?token=${tokens.issue(ours, 'berlin')}`, {}]
  ] as const)
    assert.equal((await api.http.inject({ url, headers })).statusCode, 401)
})

describe('a token is refused', () => {
  test('if it is forged, changed, or for another order', async t => {
    const { ask, tokens, ours, others, key } = await open(t)
    const good = tokens.issue(ours, 'berlin')
    const foreign = createOrderTokens({ secrets: ['f'.repeat(32)], lifetimeMs, nowMs: Date.now })
    const [version = '', expiry = '', caller = '', signature = ''] = good.split('.')
    const paris = Buffer.from('paris').toString('base64url')
    assert.deepEqual(await ask(`/orders/${ours}`, good), done)
    for (const token of [
      foreign.issue(ours, 'berlin'),
      tokens.issue(others, 'berlin'),
      [version, Number(expiry) + 1, caller, signature].join('.'),
      [version, expiry, paris, signature].join('.'),
      [version, expiry, caller, signature.slice(0, -1)].join('.'),
      [version, expiry, caller, `${signature}A`].join('.'),
      [version, expiry, caller, ''].join('.'),
      [version, expiry, caller, 'A'.repeat(43)].join('.'),
      [version, expiry, caller].join('.'),
      `${version}.${'9'.repeat(400)}`,
      'ot1.',
      'ot2.1.x.y'
    ]) {
      assert.deepEqual(await ask(`/orders/${ours}`, token), unauthorized, token)
      assert.deepEqual(await ask(`/orders/${ours}?token=${token}`), unauthorized, token)
    }
    assert.deepEqual(await ask(`/orders/${others}`, tokens.issue(others, 'berlin')), [404, 'ORDER_NOT_FOUND'])
    assert.deepEqual(await ask(`/orders/${ours}?token=${key}`), unauthorized, 'a key in the query')
    assert.deepEqual(await ask(`/orders/${ours}?token=${good}&token=${good}`), unauthorized, 'two tokens')
    assert.deepEqual(await ask(`/orders/${ours}?token=${good}`, 'rubbish'), unauthorized, 'the header decides')
  })

  test('on every route that does not read this order', async t => {
    const { ask, tokens, ours } = await open(t)
    const token = tokens.issue(ours, 'berlin')
    for (const [method, url] of [
      ['POST', '/orders'],
      ['POST', '/orders/batch'],
      ['GET', '/orders?userID=ada'],
      ['POST', `/orders/${ours}/cancel`],
      ['POST', `/orders/${ours}/confirm`]
    ] as const) {
      assert.deepEqual(await ask(url, token, method), unauthorized, `${method} ${url}`)
      const query = `${url}${url.includes('?') ? '&' : '?'}token=${token}`
      assert.deepEqual(await ask(query, undefined, method), unauthorized, `${method} ${query}`)
    }
  })

  test('from its expiry on', async t => {
    let now = 1_700_000_000_000
    const { ask, tokens, ours } = await open(t, () => now)
    const token = tokens.issue(ours, 'berlin')
    now += lifetimeMs - 1
    assert.deepEqual(await ask(`/orders/${ours}`, token), done)
    now += 1
    assert.deepEqual(await ask(`/orders/${ours}`, token), unauthorized)
  })
})

test('a token of the second secret is accepted, and of a removed one is not', async t => {
  const { ask, ours } = await open(t)
  const issue = (signedWith: string) =>
    createOrderTokens({ secrets: [signedWith], lifetimeMs, nowMs: Date.now }).issue(ours, 'berlin')
  assert.deepEqual(await ask(`/orders/${ours}`, issue(oldSecret)), done)
  assert.deepEqual(await ask(`/orders/${ours}`, issue('r'.repeat(32))), unauthorized)
})

test('requests by token have a quota for the order, and leave that of the shop alone', async t => {
  const { ask, tokens, ours, key } = await open(t)
  const token = tokens.issue(ours, 'berlin')
  for (let request = 0; request < 60; request++) await ask(`/orders/${ours}`, token)
  assert.deepEqual(await ask(`/orders/${ours}`, token), [429, 'RATE_LIMITED'])
  assert.deepEqual(await ask(`/orders/${ours}`, key), done)
})

test('an order has at most four streams by token, and each ends when the token expires', async t => {
  let now = Date.now()
  const { tokens, ours, listen } = await open(t, () => now)
  const url = await listen()
  now += 2_000 - lifetimeMs
  const events = `${url}/orders/${ours}/events?token=${tokens.issue(ours, 'berlin')}`
  const streams = await Promise.all(Array.from({ length: 4 }, () => fetch(events)))
  assert.deepEqual(
    streams.map(({ status }) => status),
    [200, 200, 200, 200]
  )
  const fifth = await fetch(events)
  assert.deepEqual([fifth.status, ((await fifth.json()) as { code: string }).code], [429, 'TOO_MANY_STREAMS'])
  for (const stream of streams) assert.match(await stream.text(), /"status":"accepted"/)
})
