import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { newTraceparent } from '@orderly/service-kit'
import { notification } from '../../testing/notifications.ts'
import { type Sink, SinkError } from '../sink.ts'
import { createNetworks } from './networks.ts'
import { createWebhook } from './webhook.ts'

/** Receivers that write raw bytes to a socket, to answer as no HTTP library would. */
interface RawReceiver {
  readonly url: URL
  /** Bodies of complete requests. */
  readonly bodies: string[]
  readonly connections: () => number
}

/**
 * @param answer called for each complete request, with its number on its connection, starting at 1
 */
async function startRawReceiver(
  t: TestContext,
  answer: (socket: Socket, request: { readonly numberOnConnection: number }) => unknown,
  { onConnection }: { readonly onConnection?: (socket: Socket) => void } = {}
): Promise<RawReceiver> {
  const bodies: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ allowHalfOpen: true }, socket => {
    connections++
    sockets.add(socket)
    let received = ''
    let numberOnConnection = 0
    socket.on('error', () => {})
    onConnection?.(socket)
    socket.setEncoding('utf8').on('data', text => {
      // The receiver has ended this connection.
      if (socket.writableEnded) return
      received += text
      for (;;) {
        const [head = '', ...rest] = received.split('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
        const body = rest.join('\r\n\r\n')
        if (rest.length === 0 || Buffer.byteLength(body) < length) return
        received = body.slice(length)
        bodies.push(body.slice(0, length))
        answer(socket, { numberOnConnection: ++numberOnConnection })
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: new URL(`http://127.0.0.1:${port}/hooks`), bodies, connections: () => connections }
}

function webhook(t: TestContext, { url }: RawReceiver, timeoutMs = 5_000): Sink {
  const networks = createNetworks({ allowed: ['127.0.0.1/32'] })
  const endpoint = { target: 'webhook:shop', url, keys: [randomBytes(32)] }
  const sink = createWebhook(endpoint, { networks, timeoutMs, concurrency: 4 })
  t.after(() => sink.close())
  return sink
}

const options = { traceparent: newTraceparent(), signal: new AbortController().signal }
const deliver = (sink: Sink) => sink.deliver(notification(), options)

async function failure(promise: Promise<void>): Promise<SinkError> {
  const error = await promise.then(
    () => assert.fail('it was delivered'),
    error => error
  )
  assert.ok(error instanceof SinkError, String(error))
  return error
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n'

describe('final response after interim responses', () => {
  for (const [name, interim] of Object.entries({
    '100 Continue': 'HTTP/1.1 100 Continue\r\n\r\n',
    '102 Processing': 'HTTP/1.1 102 Processing\r\n\r\n',
    '103 Early Hints': hints,
    'several interim answers': `HTTP/1.1 100 Continue\r\n\r\n${hints}${hints}`
  })) {
    test(`${name} before 200 is a success with one request`, async t => {
      const receiver = await startRawReceiver(t, socket => socket.write(interim + ok))
      await deliver(webhook(t, receiver))
      assert.equal(receiver.bodies.length, 1)
    })

    test(`${name} before 500 is a failure with status 500`, async t => {
      const receiver = await startRawReceiver(t, socket =>
        socket.write(`${interim}HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n`)
      )
      assert.equal((await failure(deliver(webhook(t, receiver)))).code, 'HTTP_500')
    })
  }

  test('a fragmented interim response long before the final one is skipped', async t => {
    const receiver = await startRawReceiver(t, async socket => {
      for (const piece of ['HTTP/1.1 100 Con', 'tinue\r\n', '\r\n', 'HTTP/1.1 20', '4 No Content\r\n\r\n']) {
        socket.write(piece)
        await delay(20)
      }
    })
    await deliver(webhook(t, receiver))
  })

  test('interim responses without a final one are a timeout', async t => {
    const receiver = await startRawReceiver(t, socket => socket.write(hints))
    assert.equal((await failure(deliver(webhook(t, receiver, 200)))).code, 'TIMEOUT')
  })

  test('endless interim responses fail before the timeout', async t => {
    const receiver = await startRawReceiver(t, socket => {
      const timer = setInterval(() => socket.write(hints.repeat(100)), 1)
      socket.on('close', () => clearInterval(timer))
    })
    const { code, retryable } = await failure(deliver(webhook(t, receiver, 60_000)))
    assert.deepEqual([code, retryable], ['TOO_MANY_INTERIM_ANSWERS', true])
  })

  test('101 Switching Protocols is a failure', async t => {
    const receiver = await startRawReceiver(t, socket =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    )
    const { code, retryable } = await failure(deliver(webhook(t, receiver)))
    assert.deepEqual([code, retryable], ['HTTP_101', true])
  })
})

describe('success status', () => {
  for (const head of [
    'HTTP/1.1 200 OK\r\ncontent-length: 1000',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 205 Reset Content',
    'HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked',
    'HTTP/1.0 200 OK'
  ]) {
    test(`${head.split('\r\n')[0]} is a success even if its body never ends, and does not delay the caller`, async t => {
      const receiver = await startRawReceiver(t, socket => socket.write(`${head}\r\n\r\n`))
      const sink = webhook(t, receiver, 30_000)
      const startMs = performance.now()
      await deliver(sink)
      await deliver(sink)
      assert.ok(performance.now() - startMs < 15_000)
      assert.equal(receiver.bodies.length, 2)
    })
  }

  test('a response before the request is read, followed by a close, is a success', async t => {
    const receiver = await startRawReceiver(t, () => {}, {
      onConnection: socket => socket.once('data', () => socket.end(ok))
    })
    await deliver(webhook(t, receiver))
  })

  test('a response followed by a half-close is a success', async t => {
    const receiver = await startRawReceiver(t, socket => socket.end(ok))
    const sink = webhook(t, receiver)
    for (let times = 0; times < 3; times++) await deliver(sink)
    assert.equal(receiver.bodies.length, 3)
  })

  test('a second response after the first is ignored', async t => {
    let isFirst = true
    const receiver = await startRawReceiver(t, socket => {
      socket.write(isFirst ? `${ok}HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n` : ok)
      isFirst = false
    })
    const sink = webhook(t, receiver)
    await deliver(sink)
    await deliver(sink)
    assert.equal(receiver.bodies.length, 2)
  })
})

describe('invalid response', () => {
  const broken = {
    'the connection is reset': (socket: Socket) => socket.resetAndDestroy(),
    'the receiver closes its side': (socket: Socket) => socket.end(),
    'half a status line': (socket: Socket) => socket.end('HTTP/1.1 20'),
    'half of the headers': (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
    'another protocol': (socket: Socket) => socket.end('220 mail.example ESMTP\r\n'),
    'two lengths': (socket: Socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!'),
    'headers above 16 KiB': (socket: Socket) =>
      socket.end(`HTTP/1.1 200 OK\r\n${'x-large: 0123456789\r\n'.repeat(2_000)}\r\n`)
  }
  for (const [name, answer] of Object.entries(broken)) {
    test(`${name} is a retryable failure with one request`, async t => {
      const receiver = await startRawReceiver(t, answer)
      assert.equal((await failure(deliver(webhook(t, receiver)))).retryable, true)
      assert.equal(receiver.bodies.length, 1)
    })
  }

  test('slowly trickling headers are a timeout', async t => {
    const receiver = await startRawReceiver(t, socket => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('x-slow: 1\r\n'), 10)
      socket.on('close', () => clearInterval(timer))
    })
    assert.equal((await failure(deliver(webhook(t, receiver, 300)))).code, 'TIMEOUT')
  })

  test('a slowly trickling body does not delay the caller', async t => {
    const receiver = await startRawReceiver(t, socket => {
      socket.write('HTTP/1.1 500 Oops\r\n\r\nwait')
      const timer = setInterval(() => socket.write('.'), 10)
      socket.on('close', () => clearInterval(timer))
    })
    const startMs = performance.now()
    const { code, message } = await failure(deliver(webhook(t, receiver, 60_000)))
    assert.equal(code, 'HTTP_500')
    assert.match(message, /^answered 500 wait\.*$/)
    assert.ok(performance.now() - startMs < 20_000)
  })
})

describe('reused connection', () => {
  test('a reset before any byte of the response repeats the request on a new connection', async t => {
    const receiver = await startRawReceiver(t, (socket, { numberOnConnection }) => {
      if (numberOnConnection > 1) socket.resetAndDestroy()
      else socket.write(ok)
    })
    const sink = webhook(t, receiver)
    for (let times = 0; times < 4; times++) await deliver(sink)
    // The receiver has read the three requests whose connections it reset.
    assert.deepEqual([receiver.connections(), receiver.bodies.length, new Set(receiver.bodies).size], [4, 7, 4])
  })

  test('a close before any byte of the response repeats the request on a new connection', async t => {
    const receiver = await startRawReceiver(t, (socket, { numberOnConnection }) => {
      if (numberOnConnection > 1) socket.end()
      else socket.write(ok)
    })
    const sink = webhook(t, receiver)
    await deliver(sink)
    await deliver(sink)
    assert.deepEqual([receiver.connections(), receiver.bodies.length], [2, 3])
  })

  test('a reset after an interim response does not repeat the request', async t => {
    const receiver = await startRawReceiver(t, (socket, { numberOnConnection }) => {
      if (numberOnConnection > 1) socket.write(hints, () => socket.resetAndDestroy())
      else socket.write(ok)
    })
    const sink = webhook(t, receiver)
    await deliver(sink)
    assert.equal((await failure(deliver(sink))).retryable, true)
    assert.deepEqual([receiver.connections(), receiver.bodies.length], [1, 2])
  })

  test('a receiver that resets every connection fails after a limited number of requests', async t => {
    let isWell = true
    const receiver = await startRawReceiver(t, socket => {
      if (isWell) socket.write(ok)
      else socket.resetAndDestroy()
    })
    const sink = webhook(t, receiver)
    await Promise.all([deliver(sink), deliver(sink), deliver(sink)])
    const idle = receiver.connections()
    isWell = false
    assert.equal((await failure(deliver(sink))).retryable, true)
    assert.ok(receiver.bodies.length <= 3 + idle + 1, `${receiver.bodies.length} requests`)
  })
})
