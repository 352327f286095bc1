import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { createTestHttp } from '../testing/index.ts'
import { parseJSON } from './json-body.ts'

const maxDepth = 32
const json = { 'content-type': 'application/json' }

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

test('every response, including errors, has the security headers and a request id', async t => {
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

test("the request id is the caller's if it is valid, otherwise a new one per request", async t => {
  const { http } = createTestHttp(t)
  const ask = async (headers: Record<string, string> = {}) =>
    (await http.inject({ url: '/health/live', headers })).headers['x-request-id']
  assert.equal(await ask({ 'x-request-id': 'shop-7.req/1' }), 'shop-7.req/1')
  for (const wrong of ['', 'two words', 'x'.repeat(129), 'ünï'])
    assert.notEqual(await ask({ 'x-request-id': wrong }), wrong)
  assert.notEqual(await ask(), await ask())
})

test('a body with 32 levels of arrays or objects is accepted, one with 33 is refused', async t => {
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

test('brackets inside strings do not count as nesting, even next to escaped quotes', () => {
  const value = { 'a[[[{"\\': ['{'.repeat(100), '\\"['.repeat(100), '\\\\'] }
  assert.deepEqual(parseJSON(Buffer.from(JSON.stringify(value))), value)
  const isRefused = (text: string) => {
    try {
      parseJSON(Buffer.from(text))
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

/** Sends a request right after connecting, while the server is busy, and posts the response. */
const impatientClient = `
  const { connect } = require('node:net')
  const { workerData, parentPort } = require('node:worker_threads')
  const body = '{"a":1}'
  const head = 'POST /things HTTP/1.1\\r\\nhost: x\\r\\ncontent-type: application/json\\r\\ncontent-length: 7\\r\\n\\r\\n'
  let answer = ''
  const socket = connect(workerData.port, '127.0.0.1', () => setTimeout(() => socket.write(head + body), 100))
  socket.on('data', text => (answer += text)).on('error', () => {}).on('close', () => parentPort.postMessage(answer))
`

test('a request that times out is not executed, even if it arrived completely while the process was frozen', async t => {
  const { http, listen } = createTestHttp(t)
  let done = 0
  http.post('/things', async () => ({ done: ++done }))
  Object.assign(http.server, { headersTimeout: 150, connectionsCheckingInterval: 200 })
  const { port } = new URL(await listen())
  const client = new Worker(impatientClient, { eval: true, workerData: { port: Number(port) } })
  const answering = once(client, 'message')
  await once(http.server, 'connection')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
  const [answer] = await answering
  await nextTurn()
  assert.equal(done, 0)
  assert.doesNotMatch(answer, /^HTTP\/1\.1 2/)
})
