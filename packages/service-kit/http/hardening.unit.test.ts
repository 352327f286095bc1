import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTestHttp } from '../testing/index.ts'
import { parseJSON } from './json-body.ts'

const maxDepth = 32
const json = { 'content-type': 'application/json' }

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

test('every answer has the security headers and a request id, also one that is refused', async t => {
  const { http } = createTestHttp(t)
  http.get('/broken', async () => {
    throw new Error('boom')
  })
  for (const url of ['/health/live', '/broken', '/nothing']) {
    const { headers } = await http.inject(url)
    assert.equal(headers['x-content-type-options'], 'nosniff', url)
    assert.match(String(headers['content-security-policy']), /default-src 'none'; frame-ancestors 'none'/)
    assert.match(String(headers['x-request-id']), /^[\w-]+$/)
  }
})

test('a request id is that of the caller if it can be one, and otherwise new for each request', async t => {
  const { http } = createTestHttp(t)
  const ask = async (headers: Record<string, string> = {}) =>
    (await http.inject({ url: '/health/live', headers })).headers['x-request-id']
  assert.equal(await ask({ 'x-request-id': 'shop-7.req/1' }), 'shop-7.req/1')
  for (const wrong of ['', 'two words', 'x'.repeat(129), 'ünï'])
    assert.notEqual(await ask({ 'x-request-id': wrong }), wrong)
  assert.notEqual(await ask(), await ask())
})

test('a body of 32 levels is read, one of 33 is refused, whatever it is made of', async t => {
  const { http } = createTestHttp(t)
  http.post('/things', async () => ({}))
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}']
  ] as const) {
    const nested = (levels: number) => `${open.repeat(levels)}0${close.repeat(levels)}`
    const send = async (payload: string) =>
      (await http.inject({ method: 'POST', url: '/things', payload, headers: json })).json()
    assert.deepEqual(await send(nested(maxDepth)), {})
    assert.equal((await send(nested(maxDepth + 1))).code, 'TOO_DEEPLY_NESTED')
    assert.equal((await send(open.repeat(10_000))).code, 'TOO_DEEPLY_NESTED')
  }
})

test('brackets in texts are no nesting, however they are quoted', () => {
  const value = { 'a[[[{"\\': ['{'.repeat(100), '\\"['.repeat(100), '\\\\'] }
  assert.deepEqual(parseJSON(JSON.stringify(value)), value)
  const isRefused = (text: string) => {
    try {
      parseJSON(text)
      return false
    } catch {
      return true
    }
  }
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 40 }), given => {
      assert.equal(isRefused(JSON.stringify(given)), depthOf(given) > maxDepth)
    })
  )
})
