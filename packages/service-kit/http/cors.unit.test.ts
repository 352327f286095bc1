import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { createTestHttp } from '../testing/test-http.ts'
import { faultOfOrigins } from './cors.ts'

const shop = 'https://shop.example'

async function ask(t: TestContext, method: 'GET' | 'POST' | 'OPTIONS', headers: Record<string, string>) {
  const { http } = createTestHttp(t, { allowedOrigins: [shop] })
  http.get('/things', async () => ({}))
  const answer = await http.inject({ method, url: '/things', headers: { host: 'a:8080', ...headers } })
  const { vary, 'access-control-allow-origin': allowed } = answer.headers
  return { status: answer.statusCode, vary, allowed, headers: answer.headers }
}

describe('a page', () => {
  test('of an allowed origin may read responses and errors, but not send credentials', async t => {
    for (const path of ['GET', 'POST'] as const) {
      const { allowed, vary, headers } = await ask(t, path, { origin: shop, 'sec-fetch-site': 'cross-site' })
      assert.deepEqual([allowed, vary], [shop, 'Origin'])
      assert.match(String(headers['access-control-expose-headers']), /order-token/)
      assert.equal(headers['access-control-allow-credentials'], undefined)
    }
  })

  test('of an allowed origin gets its preflight answered', async t => {
    const asked = { origin: shop, 'access-control-request-method': 'POST' }
    const { status, allowed, headers } = await ask(t, 'OPTIONS', asked)
    assert.deepEqual([status, allowed], [204, shop])
    assert.match(String(headers['access-control-allow-headers']), /authorization.*idempotency-key/)
  })

  for (const origin of [
    'https://shop.example.evil.test',
    'https://evil-shop.example',
    'https://a.shop.example',
    'https://shop.example:8443',
    'http://shop.example',
    'HTTPS://SHOP.EXAMPLE',
    'https://shop.example/',
    'https://shop.example, https://evil.test',
    'null',
    ''
  ])
    test(`of the origin "${origin}" may not`, async t => {
      const read = await ask(t, 'GET', { origin })
      assert.deepEqual([read.allowed, read.vary], [undefined, 'Origin'])
      const preflight = await ask(t, 'OPTIONS', { origin, 'access-control-request-method': 'POST' })
      assert.notEqual(preflight.status, 204)
      assert.equal(preflight.allowed, undefined)
    })
})

test('a server without origins sends no CORS headers', async t => {
  const { http } = createTestHttp(t)
  http.get('/things', async () => ({}))
  const { headers } = await http.inject({ url: '/things', headers: { host: 'a:8080', origin: shop } })
  assert.deepEqual([headers.vary, headers['access-control-allow-origin']], [undefined, undefined])
})

test('an origin that browsers never send is refused with its correct form', () => {
  assert.equal(faultOfOrigins([shop, 'http://localhost:3000']), undefined)
  for (const [wrong, right] of [
    ['https://Shop.example', shop],
    ['https://shop.example:443', shop],
    ['https://user@shop.example', shop],
    ['https://shop.example?x', shop]
  ] as const)
    assert.match(faultOfOrigins([wrong]) ?? '', new RegExp(`HTTP_ALLOWED_ORIGINS .*use the form "${right}"$`))
})
