import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createTestHttp, recordLog } from '../testing/index.ts'
import { ProblemError } from './problem.ts'

test('a service without checks is live and ready, and exposes metrics', async t => {
  const { http } = createTestHttp(t)
  assert.deepEqual((await http.inject('/health/live')).json(), { status: 'live' })
  assert.deepEqual((await http.inject('/health/ready')).json(), { status: 'ready', checks: {} })
  const metrics = await http.inject('/metrics')
  assert.match(metrics.body, /nodejs_eventloop_lag_p99_seconds\{service="test"\}/)
})

test('a service that is not ready answers 503 with the states of its checks but without reasons', async t => {
  const { http, readiness } = createTestHttp(t)
  readiness.add('kafka', () => Promise.reject(new Error('no broker answers')))
  const answer = await http.inject('/health/ready')
  assert.equal(answer.statusCode, 503)
  assert.deepEqual(answer.json(), { status: 'not ready', checks: { kafka: 'failing' } })
  assert.equal((await http.inject('/health/live')).statusCode, 200)
})

test('an unknown path is answered with a problem', async t => {
  const { http } = createTestHttp(t)
  const answer = await http.inject('/nothing')
  assert.equal(answer.statusCode, 404)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(answer.json().code, 'NOT_FOUND')
})

test('a path that cannot be decoded is answered with a problem, and the next request succeeds', async t => {
  const { http, listen } = createTestHttp(t)
  http.get('/things/:id', async () => ({}))
  const address = await listen()
  for (const path of ['/things/%ff', '/things/%', '/%ff', '/things/%c3%28?x=%ff']) {
    const answer = await fetch(`${address}${path}`)
    assert.equal(answer.status, 400, path)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.match(answer.headers.get('x-request-id') ?? '', /./)
    assert.match(await answer.text(), /"BAD_URL"/)
  }
  assert.equal((await fetch(`${address}/things/1?x=%ff`)).status, 200)
})

test('an unsupported method of a known path is answered with 405 and Allow, whatever the body is', async t => {
  const { http, listen } = createTestHttp(t)
  http.post('/things/:id', async () => ({}))
  const address = await listen()
  const answer = await fetch(`${address}/things/7`, { method: 'PUT', body: '{', headers: { 'content-type': 'x/y' } })
  assert.equal(answer.status, 405)
  assert.equal(answer.headers.get('allow'), 'POST')
  const health = await fetch(`${address}/health/live`, { method: 'DELETE' })
  assert.equal(health.headers.get('allow'), 'GET, HEAD')
})

test('the response to an unexpected error reveals no internal details', async t => {
  const { http } = createTestHttp(t)
  http.get('/broken', async () => {
    throw new Error('password is hunter2')
  })
  const answer = await http.inject('/broken')
  assert.equal(answer.statusCode, 500)
  assert.equal(answer.json().code, 'INTERNAL_ERROR')
  assert.doesNotMatch(answer.body, /hunter2/)
})

test('any thrown value is answered with a problem', async t => {
  const { http } = createTestHttp(t)
  const things = [
    null,
    'text',
    7,
    {},
    { statusCode: 'x' },
    { validation: 7 },
    { code: 'constructor' },
    Object.create(null)
  ]
  http.get('/:index', ({ params }) => Promise.reject(things[(params as { index: number }).index]))
  for (const index of things.keys()) {
    const answer = await http.inject(`/${index}`)
    assert.equal(answer.headers['content-type'], 'application/problem+json', `${index}: ${answer.body}`)
    assert.equal(answer.json().status, 500)
  }
})

test('a retryable error is answered with 503 and Retry-After', async t => {
  const { http, metrics } = createTestHttp(t)
  http.get('/busy', async () => {
    throw Object.assign(new Error('queue full'), { retryable: true })
  })
  const answer = await http.inject('/busy')
  assert.equal(answer.statusCode, 503)
  assert.equal(answer.headers['retry-after'], '1')
  assert.match(
    await metrics.metrics(),
    /orderly_http_problems_total\{status="503",code="UNAVAILABLE",service="test"\} 1/
  )
})

test('a problem that a route throws is sent unchanged', async t => {
  const { http } = createTestHttp(t)
  http.get('/conflict', async () => {
    throw new ProblemError(409, 'IDEMPOTENCY_KEY_IN_USE', 'The same request is in flight.')
  })
  assert.deepEqual((await http.inject('/conflict')).json(), {
    type: '/docs/problems#IDEMPOTENCY_KEY_IN_USE',
    title: 'Idempotency key in use',
    status: 409,
    code: 'IDEMPOTENCY_KEY_IN_USE',
    detail: 'The same request is in flight.'
  })
})

test('invalid HTTP and an oversized head are answered with a problem, and the server continues', async t => {
  const { listen } = createTestHttp(t)
  const { hostname, port } = new URL(await listen())
  const requests = [
    ['this is not HTTP\r\n\r\n', '400 Bad Request', 'BAD_REQUEST'],
    [`GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, '431 Request Header Fields Too Large', 'HEADERS_TOO_LARGE']
  ] as const
  for (const [request, status, code] of requests) {
    const socket = connect(Number(port), hostname)
    socket.end(request)
    const answer = await text(socket)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status}\r\ncontent-type: application/problem\\+json\r\n`))
    assert.match(answer, /\r\nx-content-type-options: nosniff\r\n[\s\S]*\r\nx-request-id: [\w-]+\r\n/)
    assert.match(answer, new RegExp(`\r\n\r\n\\{.*"code":"${code}"`))
  }
  assert.equal((await fetch(`http://${hostname}:${port}/health/live`)).status, 200)
})

test('an incomplete request does not keep the server from closing', async t => {
  const { listen, close } = createTestHttp(t)
  const { hostname, port } = new URL(await listen())
  const socket = connect(Number(port), hostname)
  socket.write('POST /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
  await once(socket, 'connect')
  await fetch(`http://${hostname}:${port}/health/live`)
  await close(1)
  socket.destroy()
})

test('log lines about a failed request contain its request id and trace id', async t => {
  const { logger, lines } = recordLog()
  const { http } = createTestHttp(t, { logger })
  http.get('/broken', () => Promise.reject(new Error('boom')))
  http.get('/busy', () => Promise.reject(Object.assign(new Error('queue full'), { retryable: true })))
  const traceID = '4bf92f3577b34da6a3ce929d0e0e4736'
  const traceparent = `00-${traceID}-00f067aa0ba902b7-01`
  for (const url of ['/broken', '/busy'])
    await http.inject({ url, headers: { 'x-request-id': `of${url}`, traceparent } })
  assert.deepEqual(
    lines.map(({ msg, url, requestID, traceID }) => [msg, url, requestID, traceID]),
    [
      ['request failed', '/broken', 'of/broken', traceID],
      ['request answered with 503', '/busy', 'of/busy', traceID]
    ]
  )
})
