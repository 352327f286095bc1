import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { createTestHttp } from '../testing/index.ts'
import { allowHosts } from './request-head.ts'

async function open(t: TestContext) {
  const { http, listen } = createTestHttp(t)
  let done = 0
  http.get('/things', async ({ url }) => ({ done: ++done, url }))
  http.post('/things', async ({ body }) => ({ done: ++done, body }))
  const { hostname, port } = new URL(await listen())
  /** Sends raw bytes and reads until the server closes the connection. */
  const send = async (request: string) => {
    const socket = connect(Number(port), hostname)
    socket.end(Buffer.from(request, 'latin1'))
    const answer = await text(socket)
    const [head = '', ...body] = answer.split('\r\n\r\n')
    return { status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') }
  }
  return { http, send, done: () => done }
}

const json = 'Content-Type: application/json\r\n'

describe('an ambiguous or invalid request is answered with a problem and not executed', () => {
  const long = 'a'.repeat(20_000)
  for (const [name, request, status, code] of [
    ['no Host', 'GET /things HTTP/1.1\r\n\r\n', 400, 'INVALID_HOST'],
    ['two Hosts', 'GET /things HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'INVALID_HOST'],
    ['the same Host twice', 'GET /things HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400, 'INVALID_HOST'],
    ['an empty Host', 'GET /things HTTP/1.1\r\nHost:\r\n\r\n', 400, 'INVALID_HOST'],
    ['a Host with a path', 'GET /things HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'INVALID_HOST'],
    ['a Host with a user', 'GET /things HTTP/1.1\r\nHost: a@b\r\n\r\n', 400, 'INVALID_HOST'],
    ['a Host with a list', 'GET /things HTTP/1.1\r\nHost: a, b\r\n\r\n', 400, 'INVALID_HOST'],
    ['another host in the request line', 'GET http://evil/things HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'INVALID_HOST'],
    ['another scheme in the request line', 'GET ftp://evil/things HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'INVALID_HOST'],
    ['an unknown expectation', 'POST /things HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 417, 'EXPECTATION_FAILED'],
    [
      'two lengths',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
      400,
      'BAD_REQUEST'
    ],
    [
      'a negative length',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Content-Length: -1\r\n\r\n{}`,
      400,
      'BAD_REQUEST'
    ],
    [
      'a length with a sign',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Content-Length: +2\r\n\r\n{}`,
      400,
      'BAD_REQUEST'
    ],
    [
      'a length beyond numbers',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Content-Length: ${'9'.repeat(30)}\r\n\r\n{}`,
      400,
      'BAD_REQUEST'
    ],
    [
      'a length and chunks',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'chunks of something compressed',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'chunked twice',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'an encoding that is almost chunked',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'no encoding by name',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: identity\r\n\r\n{}`,
      400,
      'BAD_REQUEST'
    ],
    [
      'white space before the colon',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'chunks in HTTP/1.0',
      `POST /things HTTP/1.0\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'a chunk without a size',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n`,
      400,
      'BAD_REQUEST'
    ],
    [
      'a chunk beyond numbers',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n${'F'.repeat(18)}\r\n`,
      400,
      'BAD_REQUEST'
    ],
    ['lines without CR', 'GET /things HTTP/1.1\nHost: a\n\n', 400, 'BAD_REQUEST'],
    ['a folded header', 'GET /things HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a zero byte', 'GET /things HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a header without a name', 'GET /things HTTP/1.1\r\nHost: a\r\n: c\r\n\r\n', 400, 'BAD_REQUEST'],
    ['an unknown method', 'FROB /things HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a method in small letters', 'get /things HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
    ['another method', 'PROPFIND /things HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['TRACE', 'TRACE /things HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['a tunnel', 'CONNECT evil:443 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['the server as a whole', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['a URL of 20 kB', `GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['a header of 20 kB', `GET /things HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'BAD_REQUEST'],
    ['HTTP/2.0 in a request line', 'GET /things HTTP/2.0\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
    ['HTTP/0.9', 'GET /things\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'BAD_REQUEST'],
    [
      'another version of the API',
      'GET /things HTTP/1.1\r\nHost: a\r\nOrderly-Version: 2\r\n\r\n',
      400,
      'UNSUPPORTED_API_VERSION'
    ]
  ] as const) {
    test(name, async t => {
      const { send, done } = await open(t)
      const answer = await send(request)
      assert.match(answer.head, /\r\ncontent-type: application\/problem\+json/, answer.head)
      const { status: reported, code: reportedCode, type } = JSON.parse(answer.body)
      assert.deepEqual([answer.status, reported, reportedCode], [status, status, code])
      assert.equal(type, `/docs/problems#${code}`)
      assert.match(answer.head, /\r\nx-content-type-options: nosniff/)
      assert.match(answer.head, /\r\nx-request-id: \S/)
      assert.equal(done(), 0)
    })
  }

  test('unusual but unambiguous requests are executed', async t => {
    const { send } = await open(t)
    for (const request of [
      'GET /things HTTP/1.0\r\n\r\n',
      'GET /things HTTP/1.1\r\nHost: A:80\r\nConnection: close\r\n\r\n',
      'GET http://a:80/things HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      'GET /things HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n',
      'GET /things HTTP/1.1\r\nHost: a\r\nOrderly-Version: 1\r\nConnection: close\r\n\r\n',
      `POST /things HTTP/1.1\r\nHost: a\r\n${json}Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: x\r\n\r\n`
    ]) {
      const { status, head } = await send(request)
      assert.equal(status, 200, request)
      assert.match(head, /\r\norderly-version: 1\r\n/)
    }
    const expecting = `POST /things HTTP/1.1\r\nHost: a\r\n${json}Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`
    assert.match((await send(expecting)).body, /^HTTP\/1\.1 200 /)
  })
})

describe('hosts', () => {
  test('only loopback and allowed host names are accepted, except for health and metrics', async t => {
    const { http } = createTestHttp(t)
    http.get('/things', async () => ({}))
    allowHosts(http, ['Orders.example', '[2001:db8::1]'])
    const ask = async (host: string, url = '/things') => (await http.inject({ url, headers: { host } })).statusCode
    for (const host of [
      ...['localhost', 'localhost:8080', 'LOCALHOST.', 'shop.localhost:1', '127.0.0.1', '127.9.9.9:8080', '[::1]:8080'],
      ...['orders.example', 'orders.example.:8080', '[2001:db8::1]:8080']
    ]) {
      assert.equal(await ask(host), 200, host)
    }
    for (const host of [
      ...['evil.example', 'evil.example:8080', 'localhost.evil.example', '127.0.0.1.evil.example', 'xlocalhost'],
      ...['10.0.0.1', '[2001:db8::2]', '0.0.0.0', '[::]', '128.0.0.1', 'more.orders.example']
    ]) {
      assert.equal(await ask(host), 421, host)
      assert.equal(await ask(host, '/nothing'), 421, host)
      assert.equal(await ask(host, '/docs/problems'), 421, host)
      for (const url of ['/health/live', '/health/ready?x=1', '/metrics']) assert.equal(await ask(host, url), 200, url)
    }
    const old = await http.inject({ url: '/things', headers: { host: 'evil.example' } })
    assert.equal(old.json().code, 'HOST_NOT_ALLOWED')
  })
})

describe('cross-site requests', () => {
  const ask = async (
    t: TestContext,
    method: 'GET' | 'POST',
    headers: Record<string, string>,
    origins: string[] = []
  ) => {
    const { http } = createTestHttp(t, { allowedOrigins: origins })
    http.route({ method, url: '/things', handler: async () => ({}) })
    const answer = await http.inject({ method, url: '/things', headers: { host: 'a:8080', ...headers } })
    return [answer.statusCode, answer.json().code]
  }
  const refused = [403, 'CROSS_SITE_REQUEST']
  const done = [200, undefined]

  for (const [name, method, headers, expected] of [
    ['a program that sends neither header may write', 'POST', {}, done],
    ['a page of the service may write', 'POST', { 'sec-fetch-site': 'same-origin', origin: 'http://a:8080' }, done],
    ['a page of the service may write, by Origin', 'POST', { origin: 'http://a:8080' }, done],
    ['a page of the service may write behind TLS', 'POST', { origin: 'https://a:8080' }, done],
    ['a request that the user started may write', 'POST', { 'sec-fetch-site': 'none' }, done],
    [
      'a page of another site may not write',
      'POST',
      { 'sec-fetch-site': 'cross-site', origin: 'http://evil' },
      refused
    ],
    [
      'a page of the same site may not write',
      'POST',
      { 'sec-fetch-site': 'same-site', origin: 'http://a:3000' },
      refused
    ],
    ['a page of another site may not write, by Origin', 'POST', { origin: 'http://evil' }, refused],
    ['a page of another port may not write', 'POST', { origin: 'http://a:3000' }, refused],
    ['a page without an origin may not write', 'POST', { origin: 'null' }, refused],
    ['a page with an invalid origin may not write', 'POST', { origin: 'a:8080' }, refused],
    [
      'a page of another site may not read',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
      refused
    ],
    [
      'a link on another site may be followed',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      done
    ],
    [
      'a navigation from another site may not write',
      'POST',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      refused
    ],
    ['an old browser may read', 'GET', { origin: 'http://evil' }, done]
  ] as const) {
    test(name, async t => assert.deepEqual(await ask(t, method, headers), expected))
  }

  test('a page of an allowed origin may write', async t => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://shop.example' }
    assert.deepEqual(await ask(t, 'POST', headers, ['https://shop.example']), done)
    assert.deepEqual(await ask(t, 'POST', headers, ['https://shop.example:8443']), refused)
  })
})
