import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { topicNames } from '@orderly/contracts'
import { readCommitted } from '@orderly/kafka/testing'
import { startService, type TestService } from '@orderly/stack/testing'
import { get, post, startOrderPipeline } from './testing/order-pipeline.ts'

/**
 * A penetration test: one set of running services, and attacks on it as a table for each way in. Whatever is refused must be
 * refused as documented, say nothing about the insides, leave nothing behind, and leave the services running.
 */

interface Attack {
  readonly name: string
  readonly to?: 'order' | 'open' | 'inventory' | 'aggregator'
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Anything but texts and bytes is sent as JSON. */
  readonly body?: unknown
  /** Sent over the connection as it is, instead of all of these. */
  readonly raw?: string
  readonly status: number | readonly number[]
  readonly code?: string
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

const command = new URL('api-keys.ts', import.meta.url).pathname
const good = { userID: 'attacker', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 1 }], total: 6.9 }
const json = { 'content-type': 'application/json' }
const long = 'x'.repeat(20_000)
const unknownKey = `orderly_${'0'.repeat(12)}_${'x'.repeat(43)}`
const insides =
  /\.ts\b|node_modules|node:internal|\bat [\w.]+ \(|SELECT |INSERT |syntax error at|pg_|ECONN|127\.0\.0\.1:\d|"stack"/

test('attacks on the running services', async t => {
  const pipeline = await startOrderPipeline(t)
  const env = { ...process.env, ...pipeline.environment }
  const apiKey = async (line: string) =>
    (await promisify(execFile)(process.execPath, [command, ...line.split(' ')], { env })).stdout.trim()
  const keys = {
    berlin: await apiKey('create --name berlin --role shop --requests-per-minute 1000000'),
    paris: await apiKey('create --name paris --role shop --requests-per-minute 1000000'),
    small: await apiKey('create --name small --role shop --requests-per-minute 20'),
    gone: await apiKey('create --name gone --role shop'),
    ops: await apiKey('create --name ops --role operator --requests-per-minute 1000000')
  }
  await apiKey('revoke --name gone')
  const required = { API_KEYS: 'required', API_KEYS_REFRESH_MS: '500' }
  const start = (name: 'inventory' | 'aggregator') => {
    const SEED_STOCK_FILE = new URL('../../stack/samples/stock.csv', import.meta.url).pathname
    return startService(t, name, {
      ...pipeline.environment,
      ...required,
      ...(name === 'inventory' && { SEED_STOCK_FILE })
    })
  }
  const [order, open, inventory, aggregator] = await Promise.all([
    pipeline.startOrder('1', required),
    pipeline.startOrder('2', { HTTP_ALLOWED_HOSTS: 'orders.test', HTTP_ALLOWED_ORIGINS: 'https://shop.test' }),
    start('inventory'),
    start('aggregator')
  ])
  const services: Record<string, TestService> = { order, open, inventory, aggregator }
  const as = (key: keyof typeof keys) => ({ authorization: `Bearer ${keys[key]}` })
  const [berlin, paris, ops] = [as('berlin'), as('paris'), as('ops')]
  const victim = (
    await post(order.url, { ...good, userID: 'victim', holdSeconds: 900 }, { ...berlin, prefer: 'wait=30' })
  ).body
  assert.equal(victim.status, 'reserved')
  const victims = `/orders/${victim.orderID}`
  const victimsCursor = Buffer.from(`1.xxxxxxxx.${victim.orderID}`).toString('base64url')
  let attacks = 0

  async function attack(group: string, list: readonly Attack[]): Promise<void> {
    await t.test(group, async g => {
      for (const one of list) await g.test(one.name, context => tryOne(one, context))
    })
  }

  async function tryOne(one: Attack, context: TestContext): Promise<void> {
    attacks++
    const answer = await send(services[one.to ?? 'order'] as TestService, one)
    const shown = `${answer.status} ${answer.body.slice(0, 400)}`
    assert.ok([one.status].flat().includes(answer.status), shown)
    if (answer.status >= 400) {
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json/, shown)
      const problem = JSON.parse(answer.body)
      assert.equal(problem.status, answer.status, shown)
      assert.equal(problem.type, `/docs/problems#${problem.code}`)
      if (one.code !== undefined) assert.equal(problem.code, one.code, shown)
    }
    assert.doesNotMatch(answer.body, insides)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
    assert.equal(answer.headers['x-powered-by'] ?? answer.headers.server, undefined)
    for (const key of Object.values(keys)) assert.ok(!answer.body.includes(key.slice(-43)))
    if (answer.status >= 500) context.diagnostic(shown)
  }

  const raw = (name: string, lines: readonly string[], status: number, code?: string, body = ''): Attack => {
    const auth = `Authorization: Bearer ${keys.berlin}`
    return { name, raw: `${[...lines, auth].join('\r\n')}\r\n\r\n${body}`, status, ...(code !== undefined && { code }) }
  }
  const postLine = ['POST /orders HTTP/1.1', 'Host: localhost', 'Connection: close', 'Content-Type: application/json']
  const getLine = ['GET /orders?userID=attacker HTTP/1.1', 'Connection: close']
  const payload = JSON.stringify(good)
  const chunk = `${payload.length.toString(16)}\r\n${payload}\r\n0\r\n\r\n`

  await attack('request smuggling and broken heads', [
    raw('no Host', getLine, 400, 'INVALID_HOST'),
    raw('two Hosts', [...getLine, 'Host: localhost', 'Host: evil'], 400, 'INVALID_HOST'),
    raw('the same Host twice', [...getLine, 'Host: localhost', 'Host: localhost'], 400, 'INVALID_HOST'),
    raw('an empty Host', [...getLine, 'Host:'], 400, 'INVALID_HOST'),
    raw('a Host with a path', [...getLine, 'Host: localhost/x'], 400, 'INVALID_HOST'),
    raw('a Host with a user', [...getLine, 'Host: a@localhost'], 400, 'INVALID_HOST'),
    raw('a Host with white space', [...getLine, 'Host: local host'], 400, 'INVALID_HOST'),
    raw(
      'another host in the request line',
      ['GET http://evil/orders HTTP/1.1', 'Host: localhost'],
      400,
      'INVALID_HOST'
    ),
    raw(
      'two lengths',
      [...postLine, `Content-Length: ${payload.length}`, 'Content-Length: 3'],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw(
      'the same length twice',
      [...postLine, `Content-Length: ${payload.length}`, `Content-Length: ${payload.length}`],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw(
      'a list of lengths',
      [...postLine, `Content-Length: ${payload.length}, ${payload.length}`],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw('a negative length', [...postLine, 'Content-Length: -5'], 400, 'BAD_REQUEST', payload),
    raw('a length in hexadecimal', [...postLine, 'Content-Length: 0x10'], 400, 'BAD_REQUEST', payload),
    raw('a length with a plus', [...postLine, `Content-Length: +${payload.length}`], 400, 'BAD_REQUEST', payload),
    raw('a length beyond numbers', [...postLine, `Content-Length: ${'9'.repeat(40)}`], 400, 'BAD_REQUEST', payload),
    raw(
      'a length and chunks',
      [...postLine, `Content-Length: ${payload.length}`, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw(
      'chunks and a length',
      [...postLine, 'Transfer-Encoding: chunked', `Content-Length: ${payload.length}`],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw(
      'chunked twice',
      [...postLine, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw('chunked, then not', [...postLine, 'Transfer-Encoding: chunked, identity'], 400, 'BAD_REQUEST', chunk),
    raw('compressed chunks', [...postLine, 'Transfer-Encoding: gzip, chunked'], 400, 'BAD_REQUEST', chunk),
    raw('almost chunked', [...postLine, 'Transfer-Encoding: xchunked'], 400, 'BAD_REQUEST', chunk),
    raw('chunked in quotes', [...postLine, 'Transfer-Encoding: "chunked"'], 400, 'BAD_REQUEST', chunk),
    raw('chunked with a vertical tab', [...postLine, 'Transfer-Encoding: \x0bchunked'], 400, 'BAD_REQUEST', chunk),
    raw('chunked behind a space', [...postLine, 'Transfer-Encoding : chunked'], 400, 'BAD_REQUEST', chunk),
    raw(
      'chunks in HTTP/1.0',
      ['POST /orders HTTP/1.0', 'Host: localhost', 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw('a chunk size that is none', [...postLine, 'Transfer-Encoding: chunked'], 400, 'BAD_REQUEST', 'G\r\n'),
    raw(
      'a chunk size beyond numbers',
      [...postLine, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      `${'F'.repeat(20)}\r\n`
    ),
    raw(
      'a chunk that is longer than it says',
      [...postLine, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      `2\r\n${payload}\r\n0\r\n\r\n`
    ),
    raw('a folded header', [...getLine, 'Host: localhost', 'X: a', ' b'], 400, 'BAD_REQUEST'),
    raw('a header without a colon', [...getLine, 'Host: localhost', 'nonsense'], 400, 'BAD_REQUEST'),
    raw('a header without a name', [...getLine, 'Host: localhost', ': x'], 400, 'BAD_REQUEST'),
    raw('a zero byte in a header', [...getLine, 'Host: localhost', 'X: a\0b'], 400, 'BAD_REQUEST'),
    raw('CR alone in a header', [...getLine, 'Host: localhost', 'X: a\rY: b'], 400, 'BAD_REQUEST'),
    raw('an unknown method', ['FROB /orders HTTP/1.1', 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('a method in small letters', ['post /orders HTTP/1.1', 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw(
      'another known method',
      ['PROPFIND /orders HTTP/1.1', 'Host: localhost', 'Connection: close'],
      405,
      'METHOD_NOT_ALLOWED'
    ),
    raw(
      'TRACE, which would show headers',
      ['TRACE /orders HTTP/1.1', 'Host: localhost', 'Connection: close'],
      405,
      'METHOD_NOT_ALLOWED'
    ),
    raw('a tunnel', ['CONNECT evil.test:443 HTTP/1.1', 'Host: localhost'], 405, 'METHOD_NOT_ALLOWED'),
    raw('HTTP/2 by prior knowledge', ['PRI * HTTP/2.0', '', 'SM'], 400, 'BAD_REQUEST'),
    raw('HTTP/2.0', ['GET /orders HTTP/2.0', 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('HTTP/3.7', ['GET /orders HTTP/3.7', 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('a header of 20 kB', [...getLine, 'Host: localhost', `X: ${long}`], 431, 'HEADERS_TOO_LARGE'),
    raw(
      '3,000 headers',
      [...getLine, 'Host: localhost', ...Array.from({ length: 3_000 }, (_, index) => `x${index}: y`)],
      431,
      'HEADERS_TOO_LARGE'
    ),
    raw('a URL of 20 kB', [`GET /orders/${long} HTTP/1.1`, 'Host: localhost'], 431, 'HEADERS_TOO_LARGE'),
    raw('an unknown expectation', [...postLine, 'Expect: the-unexpected'], 417, 'EXPECTATION_FAILED'),
    {
      name: 'a TLS greeting',
      raw: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
      status: 400,
      code: 'BAD_REQUEST'
    },
    { name: 'lines without CR', raw: 'GET /orders HTTP/1.1\nHost: localhost\n\n', status: 400, code: 'BAD_REQUEST' }
  ])

  const routes: readonly (readonly [string, string, NonNullable<Attack['to']>])[] = [
    ['POST', '/orders', 'order'],
    ['POST', '/orders/batch', 'order'],
    ['GET', '/orders?userID=victim', 'order'],
    ['GET', victims, 'order'],
    ['HEAD', victims, 'order'],
    ['GET', `${victims}/events`, 'order'],
    ['POST', `${victims}/cancel`, 'order'],
    ['POST', `${victims}/confirm`, 'order'],
    ['GET', '/stock', 'inventory'],
    ['PUT', '/stock', 'inventory'],
    ['GET', '/stock/A', 'inventory'],
    ['PUT', '/stock/A', 'inventory'],
    ['POST', '/stock/A/adjustments', 'inventory'],
    ['GET', '/stock/A/movements', 'inventory'],
    ['GET', '/rates', 'aggregator']
  ]
  await attack('no key', [
    ...routes
      .filter(([method]) => method !== 'HEAD')
      .map(([method, path, to]) => ({
        name: `${method} ${path.replace(victim.orderID, '…')}`,
        method,
        path,
        to,
        status: 401,
        code: 'UNAUTHORIZED'
      })),
    ...Object.entries({
      'an unknown key': `Bearer ${unknownKey}`,
      'a revoked key': `Bearer ${keys.gone}`,
      'another scheme': `Basic ${Buffer.from(`berlin:${keys.berlin}`).toString('base64')}`,
      'the key alone': keys.berlin,
      'a part of a key': `Bearer ${keys.berlin.slice(0, -1)}`,
      'a key and more': `Bearer ${keys.berlin}x`,
      'a key in capitals': `Bearer ${keys.berlin.toUpperCase()}`,
      'two keys': `Bearer ${keys.berlin} ${keys.paris}`,
      'a list of keys': `Bearer ${keys.berlin}, Bearer ${keys.paris}`,
      'the hash of a key': `Bearer ${'0'.repeat(64)}`,
      'an empty key': 'Bearer ',
      SQL: "Bearer ' OR 1=1 --",
      'a key of 15 kB': `Bearer ${'x'.repeat(15_000)}`,
      'white space of 15 kB': `Bearer${' '.repeat(15_000)}x`
    }).map(([name, authorization]) => ({
      name,
      path: victims,
      headers: { authorization },
      status: 401,
      code: 'UNAUTHORIZED'
    })),
    { name: 'a key in the query', path: `${victims}?authorization=${keys.berlin}&api_key=${keys.berlin}`, status: 401 },
    {
      name: 'a key in a cookie',
      path: victims,
      headers: { cookie: `authorization=Bearer ${keys.berlin}` },
      status: 401
    },
    { name: 'a key in another header', path: victims, headers: { 'x-api-key': keys.berlin }, status: 401 },
    {
      name: 'another path in X-Original-URL',
      path: victims,
      headers: { 'x-original-url': '/health/live' },
      status: 401
    },
    {
      name: 'another method in a header',
      method: 'POST',
      path: '/orders',
      headers: { 'x-http-method-override': 'GET' },
      status: 401
    },
    {
      name: 'a hidden path behind an open one',
      path: '/health/live/../../orders?userID=victim',
      status: [400, 401, 404]
    },
    { name: 'the same, encoded', path: '/health/live/..%2f..%2forders?userID=victim', status: [400, 401, 404] }
  ])

  const cancel = { method: 'POST', path: `${victims}/cancel` }
  await attack('other roles and other tenants', [
    ...routes
      .filter(([method, path, to]) => to !== 'order' && !(method === 'GET' && path === '/stock/A'))
      .map(([method, path, to]) => ({
        name: `a shop: ${method} ${path}`,
        method,
        path,
        to,
        headers: berlin,
        status: 403,
        code: 'ROLE_NOT_ALLOWED'
      })),
    { name: 'an operator places an order', method: 'POST', path: '/orders', headers: ops, body: good, status: 403 },
    {
      name: 'an operator places a batch',
      method: 'POST',
      path: '/orders/batch',
      headers: ops,
      body: [good],
      status: 403
    },
    { name: "another shop's order", path: victims, headers: paris, status: 404, code: 'ORDER_NOT_FOUND' },
    { name: "another shop's stream", path: `${victims}/events`, headers: paris, status: 404, code: 'ORDER_NOT_FOUND' },
    {
      name: "another shop's stream, from the middle",
      path: `${victims}/events`,
      headers: { ...paris, 'last-event-id': `OrderCreated-${victim.orderID}` },
      status: 404
    },
    { name: "another shop's cancellation", ...cancel, headers: paris, status: 404, code: 'ORDER_NOT_FOUND' },
    {
      name: "another shop's confirmation",
      method: 'POST',
      path: `${victims}/confirm`,
      headers: paris,
      status: 404,
      code: 'ORDER_NOT_FOUND'
    },
    {
      name: 'the caller in a header',
      path: victims,
      headers: { ...paris, caller: 'berlin', 'x-caller': 'berlin' },
      status: 404
    },
    { name: 'the caller in the query', path: `${victims}?caller=berlin`, headers: paris, status: [400, 404] },
    {
      name: 'the caller in an order',
      method: 'POST',
      path: '/orders',
      headers: { ...paris, ...json },
      body: { ...good, caller: 'berlin' },
      status: 400
    },
    {
      name: 'the id in capitals',
      path: victims.toUpperCase().replace('/ORDERS', '/orders'),
      headers: paris,
      status: 404
    },
    { name: 'the id with a wildcard', path: `${victims.slice(0, -4)}%25`, headers: paris, status: 404 },
    {
      name: "a made-up cursor to another shop's page",
      path: `/orders?userID=victim&cursor=${victimsCursor}`,
      headers: paris,
      status: 400,
      code: 'INVALID_CURSOR'
    }
  ])
  const theirs = await get(order.url, '/orders?userID=victim', paris)
  assert.deepEqual(theirs.body.orders, [], "another shop's orders are not listed")

  const browser = (
    name: string,
    headers: Record<string, string>,
    status: number,
    to: Attack['to'] = 'order',
    method = 'POST'
  ): Attack => {
    const path =
      to === 'inventory'
        ? '/stock/A'
        : to === 'aggregator'
          ? '/rates'
          : method === 'GET'
            ? '/orders?userID=victim'
            : `${victims}/cancel`
    const all = { ...(to === 'open' ? {} : to === 'order' ? paris : ops), ...headers }
    return { name, to, method, path, headers: all, status }
  }
  const [evil, same] = [{ origin: 'https://evil.test' }, { 'sec-fetch-site': 'same-origin' }]
  await attack('web pages of other sites', [
    browser('a form of another site', { ...evil, 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' }, 403),
    browser(
      'the same, where no keys are required',
      { ...evil, 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
      403,
      'open'
    ),
    browser('a form of the same site', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }, 403, 'open'),
    browser('an old browser, by Origin', evil, 403, 'open'),
    browser('a frame without an origin', { origin: 'null' }, 403, 'open'),
    browser('an origin that is nonsense', { origin: 'localhost' }, 403, 'open'),
    browser('an origin with the name inside', { origin: 'https://shop.test.evil.test' }, 403, 'open'),
    browser('an allowed origin of another scheme', { origin: 'http://shop.test' }, 403, 'open'),
    browser('Sec-Fetch-Site that nobody knows', { 'sec-fetch-site': 'rubbish' }, 403, 'open'),
    browser('a stock form of another site', { ...evil, 'sec-fetch-site': 'cross-site' }, 403, 'inventory', 'PUT'),
    browser(
      'a script of another site that reads',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
      403,
      'open',
      'GET'
    ),
    browser(
      'an image of another site',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      403,
      'aggregator',
      'GET'
    ),
    browser('a preflight', { ...evil, 'access-control-request-method': 'POST' }, 405, 'open', 'OPTIONS'),
    ...[
      'evil.test',
      'evil.test:8080',
      'localhost.evil.test',
      '127.0.0.1.evil.test',
      '169.254.169.254',
      '0.0.0.0',
      '[::]'
    ].flatMap(host => [
      browser(`rebound to ${host}: read`, { host }, 421, 'open', 'GET'),
      browser(`rebound to ${host}: write`, { host, ...same, origin: `http://${host}` }, 421, 'open')
    ]),
    { name: 'rebound: the document', to: 'open', path: '/openapi.json', headers: { host: 'evil.test' }, status: 421 },
    {
      name: 'rebound: a path that does not exist',
      to: 'open',
      path: '/nothing',
      headers: { host: 'evil.test' },
      status: 421
    },
    {
      name: 'a name of loopback in X-Forwarded-Host',
      to: 'open',
      path: '/orders?userID=victim',
      headers: { host: 'evil.test', 'x-forwarded-host': 'localhost', forwarded: 'host=localhost' },
      status: 421
    }
  ])

  const order400 = (name: string, body: unknown, code = 'INVALID_REQUEST'): Attack => {
    return { name, method: 'POST', path: '/orders', headers: { ...berlin, ...json }, body, status: 400, code }
  }
  const item = { sku: 'A', quantity: 1 }
  await attack('bodies of orders', [
    ...[
      '',
      '{',
      '[1,]',
      'undefined',
      'NaN',
      "{'a':1}",
      '{"a":1}}',
      '\u0000',
      '\ufeff{}x',
      '{"a":1,}',
      '{"a":"\n"}'
    ].map(body => order400(`broken JSON ${JSON.stringify(body)}`, body, 'INVALID_JSON')),
    ...['null', '[]', '1', '"x"', 'true', '1e999'].map(body => order400(`JSON that is no object: ${body}`, body)),
    order400('a prototype', '{"__proto__":{"isAdmin":true},"userID":"attacker"}', 'INVALID_JSON'),
    order400(
      'a prototype in an item',
      `{"userID":"attacker","total":1,"items":[{"__proto__":{"quantity":1},"sku":"A"}]}`,
      'INVALID_JSON'
    ),
    order400('a constructor', '{"constructor":{"prototype":{"x":1}}}', 'INVALID_JSON'),
    order400('5,000 levels', `${'['.repeat(5_000)}${']'.repeat(5_000)}`, 'TOO_DEEPLY_NESTED'),
    order400('60,000 values', `{"items":[${'0,'.repeat(60_000)}0]}`),
    order400('20,000 fields', `{${Array.from({ length: 9_000 }, (_, index) => `"a${index}":1`)}}`),
    order400('an unknown field', { ...good, isAdmin: true }),
    order400('an unknown field in an item', { ...good, items: [{ ...item, price: 0 }] }),
    order400('another status', { ...good, status: 'reserved' }),
    order400('an id of its own', { ...good, orderID: victim.orderID }),
    order400('no user', { ...good, userID: undefined }),
    order400('an empty user', { ...good, userID: '' }),
    order400('a user of 129 characters', { ...good, userID: 'x'.repeat(129) }),
    order400('a user with a zero character', { ...good, userID: 'a\0b' }),
    order400('a user with the separator of record keys', { ...good, userID: 'a\u001fb' }),
    order400('a user with line breaks', { ...good, userID: 'a\r\nset-cookie: x' }),
    order400('a user with an escape sequence', { ...good, userID: '\u001b[2J' }),
    order400('half a surrogate pair', '{"userID":"\\ud800","items":[{"sku":"A","quantity":1}],"total":1}'),
    order400(
      'bytes that are not UTF-8',
      Buffer.concat([
        Buffer.from('{"userID":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('","items":[{"sku":"A","quantity":1}],"total":1}')
      ])
    ),
    order400('a list of users', { ...good, userID: ['attacker'] }),
    order400('an operator of a query', { ...good, userID: { $gt: '' } }),
    order400('no items', { ...good, items: [] }),
    order400('items that are an object', { ...good, items: { length: 1, 0: item } }),
    order400('101 items', {
      ...good,
      items: Array.from({ length: 101 }, (_, index) => ({ sku: `A${index}`, quantity: 1 }))
    }),
    order400('a SKU twice', { ...good, items: [item, item] }),
    order400('a SKU of 65 characters', { ...good, items: [{ sku: 'x'.repeat(65), quantity: 1 }] }),
    ...[0, -1, 1.5, 1_000_001, 1e21, '1', null, true, [], '1e999'].map(quantity =>
      order400(`a quantity of ${JSON.stringify(quantity)}`, { ...good, items: [{ sku: 'A', quantity }] })
    ),
    ...[-1, -0.01, 1.005, 0.001, 1e9 + 1, 1e308, '1', null, [1]].map(total =>
      order400(`a total of ${JSON.stringify(total)}`, { ...good, total })
    ),
    order400('a total beyond numbers', payload.replace('6.9', '1e999')),
    order400('a total of 1,000 digits', payload.replace('6.9', '9'.repeat(1_000))),
    ...['eur', 'XXX', '', 'EURO', 'constructor', '__proto__', 7].map(currency =>
      order400(`the currency ${JSON.stringify(currency)}`, { ...good, currency })
    ),
    order400('decimals that a currency does not have', { ...good, currency: 'JPY', total: 1.5 }),
    ...[0, -1, 604_801, 1.5, '900'].map(holdSeconds =>
      order400(`a hold of ${JSON.stringify(holdSeconds)}`, { ...good, holdSeconds })
    ),
    ...[
      'text/plain',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'application/jsonx',
      'x'
    ].map(type => ({
      name: `an order as ${type}`,
      method: 'POST',
      path: '/orders',
      headers: { ...berlin, 'content-type': type },
      body: payload,
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE'
    })),
    {
      name: 'a compressed order',
      method: 'POST',
      path: '/orders',
      headers: { ...berlin, ...json, 'content-encoding': 'gzip' },
      body: Buffer.from([0x1f, 0x8b, 8, 0]),
      status: 415
    }
  ])

  const batch = (
    name: string,
    body: unknown,
    status: number,
    code?: string,
    headers: Record<string, string> = json
  ): Attack => {
    return {
      name,
      method: 'POST',
      path: '/orders/batch',
      headers: { ...berlin, ...headers },
      body,
      status,
      ...(code !== undefined && { code })
    }
  }
  /** Only says how long it is: a caller that sends all of it may be cut off before it reads the answer. */
  const tooLarge = (name: string, path: string, method: string, bytes: number, key: keyof typeof keys = 'berlin') => {
    const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json']
    const head = [...lines, `Authorization: Bearer ${keys[key]}`, `Content-Length: ${bytes}`]
    return { name, raw: `${head.join('\r\n')}\r\n\r\n`, status: 413, code: 'BODY_TOO_LARGE' }
  }
  const ndjson = { 'content-type': 'application/x-ndjson' }
  const none = { ...good, items: [] }
  await attack('batches', [
    batch(
      'one order of 2,000,000 items',
      `[{"userID":"attacker","total":1,"items":[${'0,'.repeat(2_000_000)}0]}]`,
      200
    ),
    batch('500 orders of wrong items', `[${Array(60).fill(`{"items":[${'{},'.repeat(900)}{}]}`)}]`, 200),
    batch('2,000,000 orders', `[${'0,'.repeat(2_000_000)}0]`, 400, 'INVALID_REQUEST'),
    batch('501 orders', Array(501).fill(none), 400, 'INVALID_REQUEST'),
    batch('no orders', '[]', 400, 'INVALID_REQUEST'),
    batch('an object', '{}', 400, 'INVALID_REQUEST'),
    batch('a list that does not end', `[${JSON.stringify(none)},`, 400, 'INVALID_JSON'),
    batch('something behind the list', `[${JSON.stringify(none)}]x`, 400, 'INVALID_JSON'),
    batch('brackets that do not match', `[${JSON.stringify(none)}}`, 400, 'INVALID_JSON'),
    batch('an empty place in the list', `[${JSON.stringify(none)},]`, 400, 'INVALID_JSON'),
    batch('a broken order in the list', `[${JSON.stringify(none)},{"userID":attacker}]`, 400, 'INVALID_JSON'),
    batch('2,000,000 levels', '['.repeat(2_000_000), 400),
    batch('an order nested too deep', `[${'['.repeat(40)}${']'.repeat(40)}]`, 400, 'TOO_DEEPLY_NESTED'),
    batch('one line of 4 MB', `{"items":[${'0,'.repeat(2_000_000)}0]}`, 200, undefined, ndjson),
    batch('4,000,000 empty lines', '\n'.repeat(4_000_000), 400, 'INVALID_REQUEST', ndjson),
    batch('501 lines', `${JSON.stringify(none)}\n`.repeat(501), 400, 'INVALID_REQUEST', ndjson),
    tooLarge('more than 4 MiB', '/orders/batch', 'POST', 4_194_305),
    tooLarge('an order of 200 kB', '/orders', 'POST', 200_000),
    tooLarge('a terabyte', '/orders', 'POST', 1e12),
    batch('a key of the batch', [none], 400, 'IDEMPOTENCY_KEY_NOT_ALLOWED', { ...json, 'idempotency-key': 'x' }),
    batch('more orders than the quota', Array(21).fill(none), 400, 'QUOTA_TOO_SMALL', { ...json, ...as('small') }),
    batch('as many as are not left any more', Array(20).fill(none), 429, 'RATE_LIMITED', { ...json, ...as('small') })
  ])

  const keyed = (name: string, key: string | readonly string[], status = 400): Attack => {
    return {
      name,
      method: 'POST',
      path: '/orders',
      headers: { ...berlin, ...json, 'idempotency-key': key },
      body: good,
      status
    }
  }
  await attack('headers', [
    keyed('two idempotency keys', ['a', 'b']),
    keyed('the same idempotency key twice', ['a', 'a']),
    keyed('an empty idempotency key in quotes', '""'),
    keyed('an idempotency key with half of its quotes', '"abc'),
    keyed('an idempotency key with a list', '"a", "b"'),
    keyed('an idempotency key with a parameter', '"a";b=1'),
    keyed('an idempotency key with a wrong escape', '"a\\b"'),
    keyed('an idempotency key of 300 characters', 'x'.repeat(300)),
    keyed('an idempotency key that is not ASCII', 'ü'),
    ...['2', '0', 'v1', '1.0', '1, 1', '../1', ' '].map(version => ({
      name: `version ${JSON.stringify(version)}`,
      path: victims,
      headers: { ...berlin, 'orderly-version': version },
      status: 400,
      code: 'UNSUPPORTED_API_VERSION'
    })),
    {
      name: 'a request id with markup',
      path: '/nothing',
      headers: { ...berlin, 'x-request-id': '<script>alert(1)</script>' },
      status: 404
    },
    {
      name: 'a preference of 15 kB',
      path: '/nothing',
      headers: { ...berlin, prefer: `wait=${'9'.repeat(15_000)}` },
      status: 404
    },
    {
      name: 'a trace context that is none',
      path: '/nothing',
      headers: { ...berlin, traceparent: '00-zz-zz-zz' },
      status: 404
    }
  ])

  const path = (
    name: string,
    url: string,
    status: number | readonly number[],
    to: Attack['to'] = 'order',
    method = 'GET'
  ): Attack => {
    return { name, path: url, status, to, method, headers: to === 'order' ? berlin : ops }
  }
  await attack('paths and queries', [
    path('out of the root', '/../../../etc/passwd', 404),
    path('out of the root, encoded', '/..%2f..%2fetc%2fpasswd', 404),
    path('out of the documents', '/docs/static/..%2f..%2f..%2fpackage.json', [403, 404]),
    path('out of the documents, encoded twice', '/docs/static/..%252f..%252fpackage.json', 404),
    path('a file of the project', '/package.json', 404),
    path('the environment', '/.env', 404),
    path('a path that is not UTF-8', '/orders/%ff', 400),
    path('half of an escape', '/orders/%', 400),
    path('a zero character', '/orders/%00', 400),
    path('line breaks', '/orders/%0d%0aset-cookie:%20x', 400),
    path('an id of 65 characters', `/orders/${'x'.repeat(65)}`, 400),
    path('an id of 15,000 characters', `/orders/${'x'.repeat(15_000)}`, 400),
    path('SQL as an id', "/orders/'%20OR%201=1--", 404),
    path('a template as an id', '/orders/$%7B7*7%7D', 404),
    path('SQL as a user', "/orders?userID=';DROP%20TABLE%20orders.orders;--", 200),
    path('a pattern as a user', '/orders?userID=%25', 200),
    path('two users', '/orders?userID=attacker&userID=victim', 400),
    path('a user as an object', '/orders?userID[$ne]=x', 400),
    path('the prototype as a parameter', '/orders?userID=attacker&__proto__[x]=1', 400),
    path('a thousand parameters', `/orders?userID=attacker${'&a=1'.repeat(1_000)}`, 400),
    path('a limit of 0', '/orders?userID=attacker&limit=0', 400),
    path('a limit of 101', '/orders?userID=attacker&limit=101', 400),
    path('a limit of 1e9', '/orders?userID=attacker&limit=1e9', 400),
    path('a cursor that is none', '/orders?userID=attacker&cursor=%3Cx%3E', 400),
    path('a cursor of 10,000 characters', `/orders?userID=attacker&cursor=${'A'.repeat(10_000)}`, 400),
    path('a stream until whenever', `${victims}/events?until=never`, 400),
    path('another method', '/orders', 405, 'order', 'DELETE'),
    path('deletion of an order', victims, 405, 'order', 'DELETE'),
    path('change of an order', victims, 405, 'order', 'PATCH'),
    path('rates of 0 minutes', '/rates?minutes=0', 400, 'aggregator'),
    path('rates of a year', '/rates?minutes=525600', 400, 'aggregator'),
    path('rates of -1 minutes', '/rates?minutes=-1', 400, 'aggregator'),
    path('rates in words', '/rates?minutes=ten', 400, 'aggregator'),
    path('rates twice', '/rates?minutes=1&minutes=2', 400, 'aggregator'),
    path('rates with more', '/rates?sql=1', 400, 'aggregator'),
    path('movements of 10,000', '/stock/A/movements?limit=10000', 400, 'inventory'),
    path('stock behind a zero character', '/stock?after=%00', 400, 'inventory'),
    path('a column of another name', '/stock?column=reserved', 400, 'inventory')
  ])

  const stock = (
    name: string,
    body: unknown,
    status: number,
    code?: string,
    type = 'application/json',
    url = '/stock'
  ): Attack => ({
    ...{ name, to: 'inventory', method: url.endsWith('adjustments') ? 'POST' : 'PUT', path: url, body, status },
    headers: { ...ops, 'content-type': type, 'idempotency-key': randomUUID() },
    ...(code !== undefined && { code })
  })
  const csv = 'text/csv'
  await attack('stock', [
    stock('2,000,000 items', `{"items":[${'0,'.repeat(2_000_000)}0]}`, 400, 'INVALID_REQUEST'),
    stock('10,000 wrong items', { items: Array(10_000).fill({}) }, 400, 'INVALID_REQUEST'),
    stock('no items', { items: [] }, 400, 'INVALID_REQUEST'),
    stock(
      'a SKU twice',
      {
        items: [
          { sku: 'A', available: 1 },
          { sku: 'A', available: 2 }
        ]
      },
      400
    ),
    stock('a SKU with a zero character', { items: [{ sku: 'a\0', available: 1 }] }, 400),
    stock('fewer than none', { items: [{ sku: 'A', available: -1 }] }, 400),
    stock('more than can be counted', { items: [{ sku: 'A', available: 1e15 }] }, 400),
    stock('both counts', { items: [{ sku: 'A', available: 1, onHand: 1 }] }, 400),
    stock('an unknown field', { items: [{ sku: 'A', available: 1, reserved: 0 }] }, 400),
    stock('a file without a header', 'A,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('an empty file', '', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a formula for a count', 'sku,available\nA,=1+1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a negative count', 'sku,available\nA,-1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a quote that does not end', 'sku,available\n"A,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a line of 4 MB', `sku,available\n${'x'.repeat(4_000_000)}`, 400, 'STOCK_FILE_INVALID', csv),
    stock(
      'a file with 4,000,000 empty lines',
      `sku,available\n${'\n'.repeat(4_000_000)}`,
      400,
      'STOCK_FILE_INVALID',
      csv
    ),
    { ...tooLarge('a file of 5 MB', '/stock', 'PUT', 5_000_000, 'ops'), to: 'inventory' },
    stock('a file with a zero character', 'sku,available\na\0b,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock(
      'a file that is not UTF-8',
      Buffer.concat([Buffer.from('sku,available\n'), Buffer.from([0xff]), Buffer.from(',1\n')]),
      400,
      'STOCK_FILE_INVALID',
      csv
    ),
    stock('a file of another type', 'sku,available\nA,1\n', 415, 'UNSUPPORTED_MEDIA_TYPE', 'application/vnd.ms-excel'),
    stock(
      'an adjustment of an unknown SKU',
      { delta: 1 },
      404,
      'SKU_NOT_FOUND',
      'application/json',
      '/stock/NEVER-SEEN/adjustments'
    ),
    stock('an adjustment beyond numbers', { delta: 1e15 }, 400, undefined, 'application/json', '/stock/A/adjustments'),
    stock('an adjustment of a fraction', { delta: 0.5 }, 400, undefined, 'application/json', '/stock/A/adjustments'),
    stock(
      'more taken out than there is',
      { delta: -999_999_999 },
      409,
      'STOCK_TOO_LOW',
      'application/json',
      '/stock/TEA-EARL-GREY-100G/adjustments'
    ),
    {
      name: 'an adjustment without a key',
      to: 'inventory',
      method: 'POST',
      path: '/stock/A/adjustments',
      headers: { ...ops, ...json },
      body: { delta: 1 },
      status: 400
    },
    {
      name: 'an adjustment with two keys',
      to: 'inventory',
      method: 'POST',
      path: '/stock/A/adjustments',
      headers: { ...ops, ...json, 'idempotency-key': ['a', 'b'] },
      body: { delta: 1 },
      status: 400
    }
  ])

  await t.test('nothing is left behind, nothing leaked, and the services run', async () => {
    assert.ok(attacks >= 200, String(attacks))
    for (const { url } of Object.values(services)) {
      assert.equal((await get(url, '/health/ready')).status, 200)
      const metrics = await (await fetch(`${url}/metrics`)).text()
      assert.doesNotMatch(metrics, /orderly_http_problems_total\{status="500"/)
    }
    const last = await post(order.url, { ...good, userID: 'witness' }, { ...berlin, prefer: 'wait=30' })
    assert.equal(last.status, 200)
    const records = await readCommitted(pipeline.connection, topicNames.ordersCreated, all =>
      all.some(({ headers }) => headers['event-id'] === `OrderCreated-${last.body.orderID}`)
    )
    const users = records.map(({ key }) => key.split('\u001f').at(-1))
    assert.deepEqual(users.toSorted(), ['victim', 'witness'])
    assert.equal((await get(order.url, victims, berlin)).body.status, 'reserved')
    const { rows } = await pipeline.pool.query(
      "SELECT count(*) AS count FROM inventory.stock_movements WHERE kind <> 'seed'"
    )
    assert.equal(Number(rows[0].count), 0)
    for (const service of Object.values(services)) {
      const log = JSON.stringify(await service.logs())
      for (const key of Object.values(keys)) assert.ok(!log.includes(key.slice(-43)), 'no key is logged')
    }
    t.diagnostic(`${attacks} attacks`)
  })
})

/** Sends the attack, over a separate connection. */
async function send(service: TestService, attack: Attack): Promise<Answered> {
  const { hostname, port } = new URL(service.url)
  if (attack.raw !== undefined) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.end(Buffer.from(attack.raw, 'latin1'))
    return parseAnswer(await text(socket))
  }
  const { method = 'GET', path = '/', headers = {}, body } = attack
  const bytes =
    body === undefined || Buffer.isBuffer(body)
      ? body
      : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const length = bytes === undefined ? {} : { 'content-length': bytes.length }
    const sending = request(
      { hostname, port, method, path, headers: { ...headers, ...length } as never, agent: false },
      async answer =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer).catch(() => '') })
    )
    sending.on('error', reject).end(bytes)
  })
}

function parseAnswer(answer: string): Answered {
  const end = answer.indexOf('\r\n\r\n')
  const [first = '', ...lines] = answer.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(lines.map(line => line.split(/: (.*)/s).slice(0, 2)))
  return { status: Number(first.split(' ')[1]), headers, body: answer.slice(end + 4) }
}
