import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createApiKeyStore } from '@orderly/callers'
import { grantKey } from '@orderly/callers/testing'
import { startService } from '@orderly/launcher/testing'
import { type Attack, createAttacks, headAttacks } from '@orderly/service-kit/testing'
import { startPipeline } from './testing/pipeline.ts'

/**
 * A penetration test of the stock API, like `services/order/attack.int.test.ts` for the order API.
 */

test('attacks on the running inventory change and leak nothing', async t => {
  const pipeline = await startPipeline(t)
  const store = createApiKeyStore(pipeline.pool)
  const grant = (name: string, role: 'shop' | 'operator', requestsPerMinute = 1_000_000) =>
    grantKey(store, { name, role, requestsPerMinute })
  const keys = {
    ops: await grant('ops', 'operator'),
    berlin: await grant('berlin', 'shop'),
    small: await grant('small', 'operator', 1),
    gone: await grant('gone', 'operator')
  }
  await store.revoke({ name: 'gone' })
  await pipeline.store.setAvailable(new Map([['TEA', 5]]))
  const [inventory, open] = await Promise.all([
    startService(t, 'inventory', { ...pipeline.environment, INSTANCE_ID: '1', API_KEYS: 'required' }),
    startService(t, 'inventory', { ...pipeline.environment, INSTANCE_ID: '2' })
  ])
  const services = { inventory, open }
  const as = (key: keyof typeof keys) => ({ authorization: `Bearer ${keys[key]}` })
  const [ops, berlin] = [as('ops'), as('berlin')]
  const secrets = Object.values(keys).map(key => key.slice(-43))
  const attacks = createAttacks(t, { services, secrets })
  const movements = async () => {
    const { rows } = await pipeline.pool.query('SELECT count(*) AS count FROM inventory.stock_movements')
    return Number(rows[0].count)
  }
  const movementsBefore = await movements()

  await attacks.run(
    'request smuggling and malformed request heads',
    headAttacks({
      readPath: '/stock',
      write: 'PUT /stock',
      payload: JSON.stringify({ items: [{ sku: 'TEA', available: 0 }] }),
      headers: [`Authorization: ${ops.authorization}`]
    })
  )

  const routes = [
    ['GET', '/stock'],
    ['PUT', '/stock'],
    ['GET', '/stock/TEA'],
    ['PUT', '/stock/TEA'],
    ['POST', '/stock/TEA/adjustments'],
    ['GET', '/stock/TEA/movements']
  ] as const
  const wrongKeys = {
    'no key': {},
    'a revoked key': as('gone'),
    'an unknown key': { authorization: `Bearer orderly_${'0'.repeat(12)}_${'x'.repeat(43)}` },
    'a truncated key': { authorization: ops.authorization.slice(0, -1) },
    'another authentication scheme': { authorization: `Basic ${keys.ops}` }
  }
  await attacks.run('authentication and roles', [
    ...Object.entries(wrongKeys).flatMap(([name, headers]) =>
      routes.map(([method, path]) => ({
        name: `${name}: ${method} ${path}`,
        method,
        path,
        headers,
        status: 401,
        code: 'UNAUTHORIZED'
      }))
    ),
    ...routes
      .filter(([method, path]) => method !== 'GET' || path !== '/stock/TEA')
      .map(([method, path]) => ({
        name: `a shop: ${method} ${path}`,
        method,
        path,
        headers: berlin,
        status: 403,
        code: 'ROLE_NOT_ALLOWED'
      })),
    { name: 'the last request of a quota', path: '/stock', headers: as('small'), status: 200 },
    { name: 'the first request above a quota', path: '/stock', headers: as('small'), status: 429, code: 'RATE_LIMITED' }
  ])

  const evil = { origin: 'https://evil.test' }
  await attacks.run('requests from pages of other sites', [
    ...routes.flatMap(([method, path]) => [
      {
        name: `another site: ${method} ${path}`,
        to: 'open',
        method,
        path,
        headers: { ...evil, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
        status: 403,
        code: 'CROSS_SITE_REQUEST'
      },
      {
        name: `DNS rebinding: ${method} ${path}`,
        to: 'open',
        method,
        path,
        headers: { host: 'evil.test', origin: 'http://evil.test', 'sec-fetch-site': 'same-origin' },
        status: 421,
        code: 'HOST_NOT_ALLOWED'
      }
    ]),
    {
      name: 'another site, with a key',
      method: 'PUT',
      path: '/stock',
      headers: { ...ops, ...evil, 'sec-fetch-site': 'cross-site' },
      status: 403,
      code: 'CROSS_SITE_REQUEST'
    },
    {
      name: 'DNS rebinding: the OpenAPI document',
      to: 'open',
      path: '/openapi.json',
      headers: { host: 'evil.test' },
      status: 421
    }
  ])

  const path = (name: string, url: string, status: number, method = 'GET'): Attack => {
    return { name, path: url, status, method, headers: ops }
  }
  await attacks.run('paths and queries', [
    path('a path above the root', '/../../../etc/passwd', 404),
    path('a SKU with a path above the root', '/stock/..%2f..%2fetc%2fpasswd', 404),
    path('a SKU that is not UTF-8', '/stock/%ff', 400),
    path('a SKU with a NUL character', '/stock/%00', 400),
    path('a SKU with line breaks', '/stock/%0d%0aset-cookie:%20x', 400),
    path('a SKU of 65 characters', `/stock/${'x'.repeat(65)}`, 400),
    path('a SKU of 15,000 characters', `/stock/${'x'.repeat(15_000)}`, 400),
    path('SQL as a SKU', "/stock/'%20OR%201=1--", 404),
    path('SQL appended to a SKU', "/stock/TEA'%3bDROP%20TABLE%20inventory.stock%3b--", 404),
    path('a LIKE pattern as a SKU', '/stock/%25', 404),
    path('a limit of 10,000 movements', '/stock/TEA/movements?limit=10000', 400),
    path('a limit of -1 movements', '/stock/TEA/movements?limit=-1', 400),
    path('SQL as the cursor of movements', "/stock/TEA/movements?before='%20OR%201=1--", 400),
    path('a NUL character as the cursor of stock', '/stock?after=%00', 400),
    path('SQL as the cursor of stock', "/stock?after='%20UNION%20SELECT%20*%20FROM%20callers.api_keys--", 200),
    path('an unknown column', '/stock?column=reserved', 400),
    path('a prototype property as a parameter', '/stock?__proto__[x]=1', 400),
    path('a limit of 1e9', '/stock?limit=1e9', 400),
    path('two limits', '/stock?limit=1&limit=2', 400),
    path('DELETE of stock', '/stock/TEA', 405, 'DELETE'),
    path('PATCH of stock', '/stock/TEA', 405, 'PATCH')
  ])

  const stock = (
    name: string,
    body: unknown,
    status: number,
    code?: string,
    type = 'application/json',
    url = '/stock'
  ): Attack => ({
    ...{ name, method: url.endsWith('adjustments') ? 'POST' : 'PUT', path: url, body, status },
    headers: { ...ops, 'content-type': type, 'idempotency-key': randomUUID() },
    ...(code !== undefined && { code })
  })
  const csv = 'text/csv'
  await attacks.run('bodies of stock requests', [
    stock('2,000,000 items', `{"items":[${'0,'.repeat(2_000_000)}0]}`, 400, 'INVALID_REQUEST'),
    stock('10,000 wrong items', { items: Array(10_000).fill({}) }, 400, 'INVALID_REQUEST'),
    stock('no items', { items: [] }, 400, 'INVALID_REQUEST'),
    stock(
      'a duplicate SKU',
      {
        items: [
          { sku: 'A', available: 1 },
          { sku: 'A', available: 2 }
        ]
      },
      400
    ),
    stock('a SKU with a NUL character', { items: [{ sku: 'a\0', available: 1 }] }, 400),
    stock('a negative count', { items: [{ sku: 'A', available: -1 }] }, 400),
    stock('a count above the maximum', { items: [{ sku: 'A', available: 1e15 }] }, 400),
    stock('available and onHand together', { items: [{ sku: 'A', available: 1, onHand: 1 }] }, 400),
    stock('an unknown field', { items: [{ sku: 'A', available: 1, reserved: 0 }] }, 400),
    stock('a file without a header', 'A,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('an empty file', '', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a formula for a count', 'sku,available\nA,=1+1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a negative count', 'sku,available\nA,-1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with an unterminated quote', 'sku,available\n"A,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock('a file with a line of 4 MB', `sku,available\n${'x'.repeat(4_000_000)}`, 400, 'STOCK_FILE_INVALID', csv),
    stock(
      'a file with 4,000,000 empty lines',
      `sku,available\n${'\n'.repeat(4_000_000)}`,
      400,
      'STOCK_FILE_INVALID',
      csv
    ),
    {
      name: 'a file of 5 MB',
      raw: `${['PUT /stock HTTP/1.1', 'Host: localhost', `Authorization: ${ops.authorization}`, 'Content-Type: text/csv', 'Content-Length: 5000000'].join('\r\n')}\r\n\r\n`,
      status: 413,
      code: 'BODY_TOO_LARGE'
    },
    stock('a file with a NUL character', 'sku,available\na\0b,1\n', 400, 'STOCK_FILE_INVALID', csv),
    stock(
      'a file that is not UTF-8',
      Buffer.concat([Buffer.from('sku,available\n'), Buffer.from([0xff]), Buffer.from(',1\n')]),
      400,
      'STOCK_FILE_INVALID',
      csv
    ),
    stock(
      'a file with an unsupported media type',
      'sku,available\nA,1\n',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'application/vnd.ms-excel'
    ),
    stock(
      'an adjustment of an unknown SKU',
      { delta: 1 },
      404,
      'SKU_NOT_FOUND',
      'application/json',
      '/stock/NEVER-SEEN/adjustments'
    ),
    stock(
      'an adjustment above the maximum',
      { delta: 1e15 },
      400,
      undefined,
      'application/json',
      '/stock/A/adjustments'
    ),
    stock('an adjustment by a fraction', { delta: 0.5 }, 400, undefined, 'application/json', '/stock/A/adjustments'),
    stock(
      'an adjustment below zero',
      { delta: -999_999_999 },
      409,
      'STOCK_TOO_LOW',
      'application/json',
      '/stock/TEA/adjustments'
    ),
    {
      name: 'an adjustment without a key',
      method: 'POST',
      path: '/stock/A/adjustments',
      headers: { ...ops, 'content-type': 'application/json' },
      body: { delta: 1 },
      status: 400
    },
    {
      name: 'an adjustment with two keys',
      method: 'POST',
      path: '/stock/A/adjustments',
      headers: { ...ops, 'content-type': 'application/json', 'idempotency-key': ['a', 'b'] },
      body: { delta: 1 },
      status: 400
    }
  ])

  await t.test('after the attacks, stock is unchanged, no key is logged, and the services are ready', async () => {
    assert.ok(attacks.count >= 100, String(attacks.count))
    assert.equal(await movements(), movementsBefore)
    assert.deepEqual(await pipeline.store.levels(['TEA']), [{ sku: 'TEA', available: 5, reserved: 0 }])
    for (const { url, logs } of Object.values(services)) {
      assert.equal((await fetch(`${url}/health/ready`)).status, 200)
      const metrics = await (await fetch(`${url}/metrics`)).text()
      assert.doesNotMatch(metrics, /orderly_http_problems_total\{status="500"/)
      const log = JSON.stringify(await logs())
      for (const secret of secrets) assert.ok(!log.includes(secret), 'an API key is logged')
    }
    t.diagnostic(`${attacks.count} attacks`)
  })
})
