import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { createTestHttp, silentLogger } from '@orderly/service-kit/testing'
import { newApiKey } from '../keys/api-key.ts'
import { createAPIKeyCache } from '../keys/api-key-cache.ts'
import { createMemoryApiKeyStore, grantKey } from '../testing/memory-api-keys.ts'
import { guardRoutes, reserveQuota } from './guard.ts'

const logger = silentLogger()

async function open(t: TestContext, isGuarded = true) {
  const store = createMemoryApiKeyStore()
  const callers = createAPIKeyCache(store, {
    refreshMs: 3_600_000,
    trustMs: 60_000,
    requestsPerMinute: 3,
    leastGapMs: 0,
    logger
  })
  t.after(() => callers.stop())
  const { http, listen } = createTestHttp(t)
  guardRoutes(http, isGuarded ? callers : undefined)
  http.get('/own', { config: { access: ['shop', 'operator'] } }, async ({ caller }) => ({ name: caller?.name }))
  http.post('/orders', { config: { access: ['shop'] } }, async (request, reply) => {
    reserveQuota(request, reply, Number(request.headers.count ?? 1))
    return {}
  })
  http.get('/page', { schema: { hide: true } as object }, async () => 'for everybody')
  const ask = async (key: string | undefined, url = '/own', method: 'GET' | 'POST' | 'HEAD' = 'GET') => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const answer = await http.inject({ method, url, headers })
    return { status: answer.statusCode, headers: answer.headers, body: method === 'HEAD' ? {} : answer.json() }
  }
  const order = async (key: string, count: number) => {
    const headers = { authorization: `Bearer ${key}`, count: String(count) }
    const answer = await http.inject({ method: 'POST', url: '/orders', headers })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
  }
  return {
    http,
    listen,
    store,
    ask,
    order,
    grant: (name: string, role: 'shop' | 'operator') => grantKey(store, { name, role })
  }
}

test('missing, malformed and unknown API keys are answered with 401 and WWW-Authenticate', async t => {
  const { http, ask } = await open(t)
  const none = await ask(undefined)
  assert.deepEqual([none.status, none.body.code, none.headers['www-authenticate']], [401, 'UNAUTHORIZED', 'Bearer'])
  for (const key of ['rubbish', newApiKey().key]) {
    const wrong = await ask(key)
    assert.deepEqual([wrong.status, wrong.headers['www-authenticate']], [401, 'Bearer error="invalid_token"'])
    assert.ok(!JSON.stringify(wrong.body).includes(key))
  }
  const basic = await http.inject({ url: '/own', headers: { authorization: 'Basic dTpw' } })
  assert.equal(basic.statusCode, 401)
})

test('a key identifies its caller, a role may use only its own routes, and pages are public', async t => {
  const { http, ask, grant } = await open(t)
  const [shop, operator] = [await grant('berlin', 'shop'), await grant('ops', 'operator')]
  assert.deepEqual((await ask(shop)).body, { name: 'berlin' })
  assert.deepEqual((await ask(operator)).body, { name: 'ops' })
  const refused = await ask(operator, '/orders', 'POST')
  assert.deepEqual([refused.status, refused.body.code], [403, 'ROLE_NOT_ALLOWED'])
  assert.equal((await http.inject('/page')).statusCode, 200)
  assert.equal((await http.inject('/health/live')).statusCode, 200)
})

test('a caller that has used up its quota gets 429 with Retry-After, and other callers are not affected', async t => {
  const { ask, grant } = await open(t)
  const [berlin, paris] = [await grant('berlin', 'shop'), await grant('paris', 'shop')]
  const first = await ask(berlin)
  assert.deepEqual(
    [first.headers['ratelimit-policy'], first.headers.ratelimit],
    ['"caller";q=3;w=60', '"caller";r=2;t=20']
  )
  assert.equal((await ask(berlin, '/own', 'HEAD')).headers.ratelimit, '"caller";r=1;t=20', 'HEAD counts once')
  await ask(berlin)
  const refused = await ask(berlin)
  assert.deepEqual([refused.status, refused.body.code, refused.headers['retry-after']], [429, 'RATE_LIMITED', '20'])
  assert.equal(refused.headers.ratelimit, '"caller";r=0;t=20')
  assert.equal((await ask(paris)).status, 200)
})

describe('a request that counts as several', () => {
  test('takes the quota of all of them or is refused with Retry-After', async t => {
    const { order, grant } = await open(t)
    const berlin = await grant('berlin', 'shop')
    const two = await order(berlin, 2)
    assert.deepEqual([two.status, two.headers.ratelimit], [200, '"caller";r=1;t=20'])
    const more = await order(berlin, 2)
    assert.deepEqual([more.status, more.body.code, more.headers['retry-after']], [429, 'RATE_LIMITED', '40'])
    assert.match(more.body.detail, /berlin may send 3 requests per minute, and this one counts as 2/)
    assert.equal(more.headers.ratelimit, '"caller";r=0;t=20', 'the refused request counted once')
  })

  test('is refused with 400 if it exceeds the whole quota', async t => {
    const { order, grant } = await open(t)
    const never = await order(await grant('berlin', 'shop'), 4)
    assert.deepEqual([never.status, never.body.code, never.headers['retry-after']], [400, 'QUOTA_TOO_SMALL', undefined])
    assert.match(never.body.detail, /3 requests per minute.*Send at most 3/)
  })

  test('cannot exceed the quota together with concurrent requests', async t => {
    const { order, grant } = await open(t)
    const berlin = await grant('berlin', 'shop')
    const answers = await Promise.all(Array.from({ length: 20 }, () => order(berlin, 2)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  })
})

test('the bytes of bodies in flight are limited in total and per caller, before bodies are read', async t => {
  const { http, listen, grant } = await open(t)
  const held = Promise.withResolvers<void>()
  let reading = 0
  const bodyLimit = 4 * 1024 * 1024
  http.post('/files', { bodyLimit, config: { access: ['shop'] } }, async () => {
    reading++
    await held.promise
    return {}
  })
  const address = await listen()
  const keys = await Promise.all(['berlin', 'paris', 'rome'].map(name => grant(name, 'shop')))
  const send = async (key: string | undefined, bytes: number) => {
    const body = `"${'x'.repeat(bytes - 2)}"`
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await fetch(`${address}/files`, { method: 'POST', body, headers })
    const { code } = (await answer.json()) as { code?: string }
    return [answer.status, code, answer.headers.get('retry-after')]
  }
  const holding = [keys[0], keys[0], keys[1], keys[1]].map(key => send(key, bodyLimit))
  while (reading < 4) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(await send(keys[0], 10_000), [429, 'RATE_LIMITED', '1'])
  assert.deepEqual(await send(keys[2], 10_000), [503, 'UNAVAILABLE', '1'])
  const small = send(keys[2], 8_000)
  held.resolve()
  assert.deepEqual(await small, [200, undefined, null])
  for (const answer of await Promise.all(holding)) assert.equal(answer[0], 200)
  assert.deepEqual(await send(keys[2], bodyLimit), [200, undefined, null], 'the shares were released')
})

test('while API keys are off, a request for another host is refused', async t => {
  const { http } = await open(t, false)
  const ask = async (host: string) => (await http.inject({ url: '/own', headers: { host } })).statusCode
  assert.deepEqual([await ask('localhost:1'), await ask('evil.example')], [200, 421])
})

test('while API keys are off, all requests are allowed', async t => {
  const { ask } = await open(t, false)
  const answer = await ask(undefined)
  assert.deepEqual([answer.status, answer.body, answer.headers.ratelimit], [200, {}, undefined])
  assert.equal((await ask(undefined, '/orders', 'POST')).status, 200)
})

test('adding a route without an access rule throws', t => {
  const { http } = createTestHttp(t)
  guardRoutes(http, undefined)
  assert.throws(() => http.get('/forgotten', async () => ({})), /GET \/forgotten has no access rule/)
})
