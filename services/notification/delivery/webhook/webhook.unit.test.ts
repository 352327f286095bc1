import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { newTraceparent } from '@orderly/service-kit'
import { Webhook } from 'standardwebhooks'
import { notification } from '../../testing/notifications.ts'
import { type Sink, SinkError } from '../sink.ts'
import type { Lookup } from './guarded-agent.ts'
import { createNetworks } from './networks.ts'
import { createWebhook } from './webhook.ts'

interface Receiver {
  readonly port: number
  readonly url: URL
  readonly requests: { readonly request: IncomingMessage; readonly body: string }[]
}

async function startReceiver(t: TestContext, answer: RequestListener, host = '127.0.0.1', port = 0): Promise<Receiver> {
  const requests: Receiver['requests'] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    requests.push({ request, body })
    answer(request, response)
  })
  server.listen(port, host)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address() as AddressInfo
  return { port: address.port, url: new URL(`http://${host}:${address.port}/hooks`), requests }
}

const answering =
  (status: number, headers: Record<string, string> = {}, body = '') =>
  (_request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(status, headers).end(body)

interface Options {
  readonly keys?: readonly Buffer[]
  readonly timeoutMs?: number
  readonly allowed?: readonly string[]
  readonly lookup?: Lookup
}

function webhook(t: TestContext, url: URL, options: Options = {}): Sink {
  const { keys = [randomBytes(32)], timeoutMs = 2_000, allowed = ['127.0.0.1/32'], lookup } = options
  const networks = createNetworks({ allowed })
  const limits = { networks, timeoutMs, concurrency: 4, ...(lookup && { lookup }) }
  const sink = createWebhook({ target: 'webhook:shop', url, keys }, limits)
  t.after(() => sink.close())
  return sink
}

const deliverOptions = { traceparent: newTraceparent(), signal: new AbortController().signal }
const deliver = (sink: Sink, given = notification()) => sink.deliver(given, deliverOptions)

async function failure(promise: Promise<void>): Promise<SinkError> {
  const error = await promise.then(
    () => assert.fail('it was delivered'),
    error => error
  )
  assert.ok(error instanceof SinkError, String(error))
  return error
}

test('a webhook is a signed POST that the reference library verifies with any of the secrets', async t => {
  const keys = [randomBytes(32), randomBytes(24)]
  const receiver = await startReceiver(t, answering(204))
  const given = notification()
  await deliver(webhook(t, receiver.url, { keys }), given)
  const [{ request, body } = assert.fail('nothing came')] = receiver.requests
  assert.equal(request.method, 'POST')
  assert.equal(request.headers['content-type'], 'application/json')
  assert.equal(request.headers['webhook-id'], given.id)
  assert.equal(request.headers.traceparent, deliverOptions.traceparent)
  assert.match(String(request.headers['webhook-timestamp']), /^\d{10}$/)
  assert.match(String(request.headers['webhook-signature']), /^v1,\S{44} v1,\S{44}$/)
  for (const key of keys) {
    const verified = new Webhook(key.toString('base64')).verify(body, request.headers as Record<string, string>)
    assert.equal((verified as { data: { orderID: string } }).data.orderID, given.orderID)
  }
})

test('a repeated webhook has the same id and body', async t => {
  let status = 500
  const receiver = await startReceiver(t, (_request, response) => {
    response.writeHead(status).end()
    status = 200
  })
  const given = notification()
  const sink = webhook(t, receiver.url)
  await failure(deliver(sink, given))
  await deliver(sink, given)
  const [first, second] = receiver.requests
  assert.equal(first?.request.headers['webhook-id'], second?.request.headers['webhook-id'])
  assert.equal(first?.body, second?.body)
})

test('every 2xx is a success', async t => {
  for (const status of [200, 201, 202, 204, 299]) {
    const receiver = await startReceiver(t, answering(status))
    await deliver(webhook(t, receiver.url))
  }
})

test('a redirect is a failure and is not followed', async t => {
  const inside = await startReceiver(t, answering(200))
  for (const status of [301, 302, 303, 307, 308]) {
    const receiver = await startReceiver(t, answering(status, { location: inside.url.href }))
    const { code, retryable, message } = await failure(deliver(webhook(t, receiver.url)))
    assert.deepEqual([code, retryable], [`HTTP_${status}`, true])
    assert.match(message, /redirects are not followed/)
  }
  assert.equal(inside.requests.length, 0)
})

test('any other status is a retryable failure with the beginning of the body', async t => {
  for (const status of [400, 401, 404, 429, 500, 502, 503, 504]) {
    const receiver = await startReceiver(t, answering(status, {}, `no ${status}`))
    const { code, retryable, message } = await failure(deliver(webhook(t, receiver.url)))
    assert.deepEqual([code, retryable, message], [`HTTP_${status}`, true, `answered ${status} no ${status}`])
  }
})

test('410 reports that the target is gone', async t => {
  const receiver = await startReceiver(t, answering(410))
  assert.equal((await failure(deliver(webhook(t, receiver.url)))).code, 'TARGET_GONE')
})

test('a requested pause is returned', async t => {
  const receiver = await startReceiver(t, answering(503, { 'retry-after': '30' }))
  assert.equal((await failure(deliver(webhook(t, receiver.url)))).retryAfterMs, 30_000)
})

test('a receiver that does not answer in time is a failure', async t => {
  const receiver = await startReceiver(t, () => {})
  const { code, retryable } = await failure(deliver(webhook(t, receiver.url, { timeoutMs: 150 })))
  assert.deepEqual([code, retryable], ['TIMEOUT', true])
})

test('an unreachable receiver is a failure', async t => {
  const receiver = await startReceiver(t, answering(200))
  const url = new URL(receiver.url)
  url.port = '1'
  assert.equal((await failure(deliver(webhook(t, url)))).retryable, true)
})

test('stopping the service aborts a request in flight', async t => {
  const stopping = new AbortController()
  const receiver = await startReceiver(t, () => stopping.abort())
  const sink = webhook(t, receiver.url, { timeoutMs: 60_000 })
  const { retryable } = await failure(sink.deliver(notification(), { ...deliverOptions, signal: stopping.signal }))
  assert.equal(retryable, true)
})

test('only the beginning of an endless body is read, after success and failure', async t => {
  const endless = (status: number): RequestListener => {
    return (_request, response) => {
      response.writeHead(status)
      const chunk = Buffer.alloc(64 * 1024, 'x')
      const go = () => {
        while (response.write(chunk));
      }
      response.on('drain', go)
      go()
    }
  }
  const willing = await startReceiver(t, endless(200))
  await deliver(webhook(t, willing.url, { timeoutMs: 30_000 }))
  const unwilling = await startReceiver(t, endless(500))
  const { message } = await failure(deliver(webhook(t, unwilling.url, { timeoutMs: 30_000 })))
  assert.ok(message.length < 2_000)
})

test('endless headers are a failure', async t => {
  const receiver = await startReceiver(t, answering(200, { 'x-large': 'x'.repeat(64 * 1024) }))
  assert.equal((await failure(deliver(webhook(t, receiver.url)))).retryable, true)
})

test('a forbidden address is never connected to, in any notation', async t => {
  const receiver = await startReceiver(t, answering(200))
  const { port } = receiver
  const spellings = ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '0177.0.0.1', '[::ffff:127.0.0.1]', '127.0.0.1.']
  for (const host of spellings) {
    const { code } = await failure(deliver(webhook(t, new URL(`http://${host}:${port}/`), { allowed: [] })))
    assert.equal(code, 'ADDRESS_FORBIDDEN', host)
  }
  assert.equal(receiver.requests.length, 0)
})

function answeringWith(...answers: LookupAddress[][]): { lookup: Lookup; calls(): number } {
  let calls = 0
  return {
    lookup(_hostname, _options, callback) {
      calls++
      callback(null, answers.shift() ?? [])
    },
    calls: () => calls
  }
}

test('a name with one forbidden address is refused', async t => {
  const receiver = await startReceiver(t, answering(200))
  const url = new URL(`http://shop.example:${receiver.port}/`)
  const { lookup } = answeringWith([
    { address: '127.0.0.1', family: 4 },
    { address: '169.254.169.254', family: 4 }
  ])
  const { code, message } = await failure(deliver(webhook(t, url, { lookup })))
  assert.equal(code, 'ADDRESS_FORBIDDEN')
  assert.match(message, /shop\.example leads to 169\.254\.169\.254/)
  assert.equal(receiver.requests.length, 0)
})

test('the checked address is connected to, so DNS rebinding has no effect', async t => {
  const outside = await startReceiver(t, answering(200, { connection: 'close' }))
  // Some systems have only one loopback address; the test then checks only that the name is
  // refused.
  const inside = await startReceiver(t, answering(200), '127.0.0.2', outside.port).catch(() => undefined)
  const { lookup, calls } = answeringWith(
    [{ address: '127.0.0.1', family: 4 }],
    [{ address: '127.0.0.2', family: 4 }],
    [{ address: '127.0.0.1', family: 4 }]
  )
  const sink = webhook(t, new URL(`http://rebinding.example:${outside.port}/`), { lookup })
  await deliver(sink)
  assert.equal(calls(), 1, 'one lookup per connection')
  assert.equal((await failure(deliver(sink))).code, 'ADDRESS_FORBIDDEN')
  await deliver(sink)
  assert.equal(calls(), 3)
  assert.equal(outside.requests.length, 2)
  assert.equal(inside?.requests.length ?? 0, 0)
})

test('a name without an address is a failure', async t => {
  const sink = webhook(t, new URL('http://nowhere.example/'), answeringWith([]))
  assert.equal((await failure(deliver(sink))).code, 'NO_ADDRESS')
})

test('the fingerprint changes with the URL and does not reveal it', t => {
  const [one, same, other] = ['/a?token=1', '/a?token=1', '/a?token=2'].map(path =>
    webhook(t, new URL(`http://shop.example${path}`))
  )
  assert.equal(one?.fingerprint, same?.fingerprint)
  assert.notEqual(one?.fingerprint, other?.fingerprint)
  assert.doesNotMatch(one?.fingerprint ?? '', /token/)
})
