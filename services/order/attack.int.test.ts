import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { topicNames } from '@orderly/contracts'
import { readCommitted } from '@orderly/kafka/testing'
import { startService } from '@orderly/launcher/testing'
import { type Attack, createAttacks, headAttacks } from '@orderly/service-kit/testing'
import { get, post, startOrderPipeline } from './testing/order-pipeline.ts'

/**
 * A penetration test: attacks on one set of running services, in a table per attack surface. A
 * refused request must be refused as documented, reveal no internals and leave no data. The
 * services keep running.
 */

const command = new URL('api-keys.ts', import.meta.url).pathname
const good = { userID: 'attacker', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 1 }], total: 6.9 }
const json = { 'content-type': 'application/json' }
const unknownKey = `orderly_${'0'.repeat(12)}_${'x'.repeat(43)}`

const tokenSecret = `token-secret-${'x'.repeat(32)}`

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
  const leaked = await apiKey('create --name berlin --role shop')
  const required = { API_KEYS: 'required', API_KEYS_REFRESH_MS: '500' }
  const start = (name: 'inventory' | 'aggregator') => {
    const SEED_STOCK_FILE = new URL('../../launcher/samples/stock.csv', import.meta.url).pathname
    return startService(t, name, {
      ...pipeline.environment,
      ...required,
      ...(name === 'inventory' && { SEED_STOCK_FILE })
    })
  }
  const [order, open, inventory, aggregator] = await Promise.all([
    pipeline.startOrder('1', {
      ...required,
      ORDER_MAX_STREAMS: '4',
      ORDER_MAX_STREAMS_PER_CALLER: '2',
      ORDER_TOKEN_SECRETS: tokenSecret
    }),
    pipeline.startOrder('2', { HTTP_ALLOWED_HOSTS: 'orders.test', HTTP_ALLOWED_ORIGINS: 'https://shop.test' }),
    start('inventory'),
    start('aggregator')
  ])
  const services = { order, open, inventory, aggregator }
  const as = (key: keyof typeof keys) => ({ authorization: `Bearer ${keys[key]}` })
  const [berlin, paris, ops] = [as('berlin'), as('paris'), as('ops')]
  const placed = await post(
    order.url,
    { ...good, userID: 'victim', holdSeconds: 900 },
    { ...berlin, prefer: 'wait=30' }
  )
  const victim = placed.body
  assert.equal(victim.status, 'reserved')
  const victims = `/orders/${victim.orderID}`
  const victimsCursor = Buffer.from(`1.xxxxxxxx.${victim.orderID}`).toString('base64url')
  const secrets = [...Object.values(keys), leaked].map(key => key.slice(-43)).concat(tokenSecret)
  const attacks = createAttacks(t, { services, secrets })

  const payload = JSON.stringify(good)
  await attacks.run(
    'request smuggling and malformed heads',
    headAttacks({
      readPath: '/orders?userID=attacker',
      write: 'POST /orders',
      payload,
      headers: [`Authorization: Bearer ${keys.berlin}`]
    })
  )

  const routes: readonly (readonly [string, string, NonNullable<Attack['to']>])[] = [
    ['POST', '/orders', 'order'],
    ['POST', '/orders/batch', 'order'],
    ['GET', '/orders?userID=victim', 'order'],
    ['GET', victims, 'order'],
    ['HEAD', victims, 'order'],
    ['GET', `${victims}/events`, 'order'],
    ['POST', `${victims}/cancel`, 'order'],
    ['POST', `${victims}/confirm`, 'order'],
    ['GET', '/rates', 'aggregator']
  ]
  await attacks.run('no key', [
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
      name: 'a protected path after a public one',
      path: '/health/live/../../orders?userID=victim',
      status: 404
    },
    { name: 'the same, encoded', path: '/health/live/..%2f..%2forders?userID=victim', status: 404 }
  ])

  const cancel = { method: 'POST', path: `${victims}/cancel` }
  await attacks.run('other roles and other tenants', [
    ...routes
      .filter(([, , to]) => to !== 'order')
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
    { name: 'the caller in the query', path: `${victims}?caller=berlin`, headers: paris, status: 404 },
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

  const token = placed.headers.get('order-token') ?? ''
  const parisOrder = await post(order.url, { ...good, userID: 'buyer' }, paris)
  const parisToken = parisOrder.headers.get('order-token') ?? ''
  const [, expiry = '', , signature = ''] = token.split('.')
  const byToken = (name: string, given: string, { method = 'GET', path = victims, status = 401 } = {}): Attack[] => {
    const separator = path.includes('?') ? '&' : '?'
    return [
      { name, method, path, headers: { authorization: `Bearer ${given}` }, status },
      { name: `${name}, in the query`, method, path: `${path}${separator}token=${given}`, status }
    ]
  }
  assert.equal((await get(order.url, `${victims}?token=${token}`)).status, 200)
  await attacks.run('order tokens', [
    ...byToken("another order's token", parisToken),
    ...byToken("another order's token for its stream", parisToken, { path: `${victims}/events` }),
    ...byToken(
      "another shop's name in a token",
      `ot1.${expiry}.${Buffer.from('paris').toString('base64url')}.${signature}`
    ),
    ...byToken('a later expiry', token.replace(expiry, String(Number(expiry) + 3_600))),
    ...byToken('no signature', token.slice(0, -signature.length)),
    ...byToken('a signature of zeros', token.replace(signature, 'A'.repeat(43))),
    ...byToken('a token of 8 kB', `ot1.${'9'.repeat(8_000)}`),
    ...routes
      .filter(([, path, to]) => to === 'order' && ![victims, `${victims}/events`].includes(path))
      .flatMap(([method, path]) =>
        byToken(`a token for ${method} ${path.replace(victim.orderID, '…')}`, token, { method, path })
      ),
    ...byToken('a key in the query', keys.berlin).slice(1)
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
    const ofOrders = method === 'GET' ? '/orders?userID=victim' : `${victims}/cancel`
    const path = to === 'aggregator' ? '/rates' : ofOrders
    const all = { ...(to === 'open' ? {} : to === 'order' ? paris : ops), ...headers }
    return { name, to, method, path, headers: all, status }
  }
  const [evil, same] = [{ origin: 'https://evil.test' }, { 'sec-fetch-site': 'same-origin' }]
  await attacks.run('web pages of other sites', [
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
    browser('a malformed origin', { origin: 'localhost' }, 403, 'open'),
    browser('an origin with the name inside', { origin: 'https://shop.test.evil.test' }, 403, 'open'),
    browser('an allowed origin of another scheme', { origin: 'http://shop.test' }, 403, 'open'),
    browser('an unknown Sec-Fetch-Site', { 'sec-fetch-site': 'rubbish' }, 403, 'open'),
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
    browser(
      'a preflight of an origin with the name at its end',
      { origin: 'https://evil-shop.test', 'access-control-request-method': 'POST' },
      405,
      'open',
      'OPTIONS'
    ),
    browser(
      'a preflight without an origin',
      { origin: 'null', 'access-control-request-method': 'POST' },
      405,
      'open',
      'OPTIONS'
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
  await attacks.run('bodies of orders', [
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
    ].map(body => order400(`malformed JSON ${JSON.stringify(body)}`, body, 'INVALID_JSON')),
    ...['null', '[]', '1', '"x"', 'true', '1e999'].map(body => order400(`JSON that is not an object: ${body}`, body)),
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
    order400('an order id in the body', { ...good, orderID: victim.orderID }),
    order400('no user', { ...good, userID: undefined }),
    order400('an empty user', { ...good, userID: '' }),
    order400('a user of 129 characters', { ...good, userID: 'x'.repeat(129) }),
    order400('a user with a zero character', { ...good, userID: 'a\0b' }),
    order400('a user with the separator of record keys', { ...good, userID: 'a\u001fb' }),
    order400('a user with line breaks', { ...good, userID: 'a\r\nset-cookie: x' }),
    order400('a user with an escape sequence', { ...good, userID: '\u001b[2J' }),
    order400('a lone surrogate', '{"userID":"\\ud800","items":[{"sku":"A","quantity":1}],"total":1}'),
    order400(
      'bytes that are not UTF-8',
      Buffer.concat([
        Buffer.from('{"userID":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('","items":[{"sku":"A","quantity":1}],"total":1}')
      ])
    ),
    order400('a list of users', { ...good, userID: ['attacker'] }),
    order400('a query operator as the user', { ...good, userID: { $gt: '' } }),
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
    order400('an infinite total', payload.replace('6.9', '1e999')),
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
  /**
   * Only announces its length. A caller that sends the whole body may be disconnected before it
   * reads the answer.
   */
  const tooLarge = (name: string, path: string, method: string, bytes: number, key: keyof typeof keys = 'berlin') => {
    const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json']
    const head = [...lines, `Authorization: Bearer ${keys[key]}`, `Content-Length: ${bytes}`]
    return { name, raw: `${head.join('\r\n')}\r\n\r\n`, status: 413, code: 'BODY_TOO_LARGE' }
  }
  const ndjson = { 'content-type': 'application/x-ndjson' }
  const none = { ...good, items: [] }
  await attacks.run('batches', [
    batch(
      'one order of 2,000,000 items',
      `[{"userID":"attacker","total":1,"items":[${'0,'.repeat(2_000_000)}0]}]`,
      200
    ),
    batch('60 orders of 901 invalid items', `[${Array(60).fill(`{"items":[${'{},'.repeat(900)}{}]}`)}]`, 200),
    batch('2,000,000 orders', `[${'0,'.repeat(2_000_000)}0]`, 400, 'INVALID_REQUEST'),
    batch('501 orders', Array(501).fill(none), 400, 'INVALID_REQUEST'),
    batch('no orders', '[]', 400, 'INVALID_REQUEST'),
    batch('an object', '{}', 400, 'INVALID_REQUEST'),
    batch('an unterminated list', `[${JSON.stringify(none)},`, 400, 'INVALID_JSON'),
    batch('content after the list', `[${JSON.stringify(none)}]x`, 400, 'INVALID_JSON'),
    batch('brackets that do not match', `[${JSON.stringify(none)}}`, 400, 'INVALID_JSON'),
    batch('an empty element in the list', `[${JSON.stringify(none)},]`, 400, 'INVALID_JSON'),
    batch('a malformed order in the list', `[${JSON.stringify(none)},{"userID":attacker}]`, 400, 'INVALID_JSON'),
    batch('2,000,000 levels', '['.repeat(2_000_000), 400),
    batch('an order nested too deeply', `[${'['.repeat(40)}${']'.repeat(40)}]`, 400, 'TOO_DEEPLY_NESTED'),
    batch('one line of 4 MB', `{"items":[${'0,'.repeat(2_000_000)}0]}`, 200, undefined, ndjson),
    batch('4,000,000 empty lines', '\n'.repeat(4_000_000), 400, 'INVALID_REQUEST', ndjson),
    batch('501 lines', `${JSON.stringify(none)}\n`.repeat(501), 400, 'INVALID_REQUEST', ndjson),
    tooLarge('more than 4 MiB', '/orders/batch', 'POST', 4_194_305),
    tooLarge('an order of 200 kB', '/orders', 'POST', 200_000),
    tooLarge('a terabyte', '/orders', 'POST', 1e12),
    batch('an Idempotency-Key header', [none], 400, 'IDEMPOTENCY_KEY_NOT_ALLOWED', { ...json, 'idempotency-key': 'x' }),
    batch('more orders than the quota', Array(21).fill(none), 400, 'QUOTA_TOO_SMALL', { ...json, ...as('small') }),
    batch('more orders than the quota has left', Array(20).fill(none), 429, 'RATE_LIMITED', { ...json, ...as('small') })
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
  await attacks.run('headers', [
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
      name: 'an invalid trace context',
      path: '/nothing',
      headers: { ...berlin, traceparent: '00-zz-zz-zz' },
      status: 404
    }
  ])

  const path = (name: string, url: string, status: number, to: Attack['to'] = 'order', method = 'GET'): Attack => {
    return { name, path: url, status, to, method, headers: to === 'order' ? berlin : ops }
  }
  await attacks.run('paths and queries', [
    path('out of the root', '/../../../etc/passwd', 404),
    path('out of the root, encoded', '/..%2f..%2fetc%2fpasswd', 404),
    path('out of the documents', '/docs/static/..%2f..%2f..%2fpackage.json', 404),
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
    path('an invalid cursor', '/orders?userID=attacker&cursor=%3Cx%3E', 400),
    path('a cursor of 10,000 characters', `/orders?userID=attacker&cursor=${'A'.repeat(10_000)}`, 400),
    path('a stream with an invalid end', `${victims}/events?until=never`, 400),
    path('another method', '/orders', 405, 'order', 'DELETE'),
    path('deletion of an order', victims, 405, 'order', 'DELETE'),
    path('change of an order', victims, 405, 'order', 'PATCH'),
    path('rates of 0 minutes', '/rates?minutes=0', 400, 'aggregator'),
    path('rates of a year', '/rates?minutes=525600', 400, 'aggregator'),
    path('rates of -1 minutes', '/rates?minutes=-1', 400, 'aggregator'),
    path('rates of a number in words', '/rates?minutes=ten', 400, 'aggregator'),
    path('rates twice', '/rates?minutes=1&minutes=2', 400, 'aggregator'),
    path('rates with an unknown parameter', '/rates?sql=1', 400, 'aggregator')
  ])

  await t.test('one shop cannot open all streams, and streams of a revoked key end', async () => {
    const open = (key: string) =>
      fetch(`${order.url}${victims}/events?until=final`, { headers: { authorization: `Bearer ${key}` } })
    const [own, stolen] = [await open(keys.berlin), await open(leaked)]
    assert.deepEqual([own.status, stolen.status], [200, 200])
    const refused = await open(keys.berlin)
    const { code } = (await refused.json()) as { code: string }
    assert.deepEqual([refused.status, code], [429, 'TOO_MANY_STREAMS'])
    const other = await open(keys.ops)
    assert.equal(other.status, 200)
    await apiKey(`revoke --id ${leaked.split('_')[1]}`)
    await stolen.text()
    assert.equal((await open(leaked)).status, 401)
    await Promise.all([own, other].map(stream => stream.body?.cancel()))
  })

  await t.test('attacks leave no data and leak no keys, and the services keep running', async () => {
    assert.ok(attacks.count >= 250, String(attacks.count))
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
    assert.deepEqual(users.toSorted(), ['buyer', 'victim', 'witness'])
    assert.equal((await get(order.url, victims, berlin)).body.status, 'reserved')
    for (const service of Object.values(services)) {
      const log = JSON.stringify(await service.logs())
      for (const secret of [...secrets, signature]) assert.ok(!log.includes(secret), 'no key is logged')
    }
    t.diagnostic(`${attacks.count} attacks`)
  })
})
