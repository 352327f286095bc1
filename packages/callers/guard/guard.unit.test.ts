import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createTestHttp, silentLogger } from '@orderly/service-kit/testing'
import { newApiKey } from '../keys/api-key.ts'
import { createKnownCallers } from '../keys/known-callers.ts'
import { createMemoryApiKeyStore, grantKey } from '../testing/memory-api-keys.ts'
import { chargeFor, guardRoutes } from './guard.ts'

const logger = silentLogger()

async function open(t: TestContext, isGuarded = true) {
  const store = createMemoryApiKeyStore()
  const callers = createKnownCallers(store, {
    refreshMs: 3_600_000,
    trustMs: 60_000,
    requestsPerMinute: 3,
    leastGapMs: 0,
    logger
  })
  t.after(() => callers.stop())
  const { http } = createTestHttp(t)
  guardRoutes(http, isGuarded ? callers : undefined)
  http.get('/own', { config: { access: ['shop', 'operator'] } }, async ({ caller }) => ({ name: caller?.name }))
  http.post('/orders', { config: { access: ['shop'] } }, async (request, reply) => {
    chargeFor(request, reply, 4)
    return {}
  })
  http.get('/page', { schema: { hide: true } as object }, async () => 'for everybody')
  const ask = async (key: string | undefined, url = '/own', method: 'GET' | 'POST' | 'HEAD' = 'GET') => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const answer = await http.inject({ method, url, headers })
    return { status: answer.statusCode, headers: answer.headers, body: method === 'HEAD' ? {} : answer.json() }
  }
  return { http, store, ask, grant: (name: string, role: 'shop' | 'operator') => grantKey(store, { name, role }) }
}

test('without a key, with a wrong one and with no key at all it is 401 that says how', async t => {
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

test('a key is told by its caller, a role may do what is its own, and pages are for everybody', async t => {
  const { http, ask, grant } = await open(t)
  const [shop, operator] = [await grant('berlin', 'shop'), await grant('ops', 'operator')]
  assert.deepEqual((await ask(shop)).body, { name: 'berlin' })
  assert.deepEqual((await ask(operator)).body, { name: 'ops' })
  const refused = await ask(operator, '/orders', 'POST')
  assert.deepEqual([refused.status, refused.body.code], [403, 'ROLE_NOT_ALLOWED'])
  assert.equal((await http.inject('/page')).statusCode, 200)
  assert.equal((await http.inject('/health/live')).statusCode, 200)
})

test('a caller that has used up its quota is told when to come again; others go on', async t => {
  const { ask, grant } = await open(t)
  const [berlin, paris] = [await grant('berlin', 'shop'), await grant('paris', 'shop')]
  const first = await ask(berlin)
  assert.deepEqual(
    [first.headers['ratelimit-policy'], first.headers.ratelimit],
    ['"caller";q=3;w=60', '"caller";r=2;t=20']
  )
  assert.equal((await ask(berlin, '/own', 'HEAD')).headers.ratelimit, '"caller";r=1;t=20', 'HEAD counts once, too')
  await ask(berlin)
  const refused = await ask(berlin)
  assert.deepEqual([refused.status, refused.body.code, refused.headers['retry-after']], [429, 'RATE_LIMITED', '20'])
  assert.equal(refused.headers.ratelimit, '"caller";r=0;t=20')
  assert.equal((await ask(paris)).status, 200)
})

test('a request that turns out to be several counts as so many', async t => {
  const { ask, grant } = await open(t)
  const berlin = await grant('berlin', 'shop')
  const batch = await ask(berlin, '/orders', 'POST')
  assert.deepEqual([batch.status, batch.headers.ratelimit], [200, '"caller";r=0;t=60'])
  assert.equal((await ask(berlin)).status, 429)
})

test('where nobody is asked for a key everybody may do everything', async t => {
  const { ask } = await open(t, false)
  const answer = await ask(undefined)
  assert.deepEqual([answer.status, answer.body, answer.headers.ratelimit], [200, {}, undefined])
  assert.equal((await ask(undefined, '/orders', 'POST')).status, 200)
})

test('a route that does not say whom it is for cannot be added', t => {
  const { http } = createTestHttp(t)
  guardRoutes(http, undefined)
  assert.throws(() => http.get('/forgotten', async () => ({})), /GET \/forgotten does not say who may call it/)
})
