import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type APIKeyCache, createAPIKeyCache, createApiKeyStore, type Role } from '@orderly/callers'
import { grantKey } from '@orderly/callers/testing'
import { createPool } from '@orderly/postgres'
import { createTestHttp, fuzzApi, sendExamples, silentLogger } from '@orderly/service-kit/testing'
import type { Pool } from 'pg'
import { createPostgresStockAdmin } from '../store/postgres-stock-admin.ts'
import { checkMovements, createInventoryDatabase } from '../store/testing/inventory-database.ts'
import { createPostgresTestStore } from '../store/testing/test-store.ts'
import { addStockApi } from './api.ts'

/** Sets up the routes with a separate database. */
async function setUp(t: TestContext, openCallers?: (pool: Pool) => Pick<APIKeyCache, 'find'>) {
  const database = await createInventoryDatabase(t)
  const pool: Pool = database.open({ maxConnections: 8 })
  const store = createPostgresTestStore(pool)
  const { http, listen } = createTestHttp(t)
  await addStockApi(http, { callers: openCallers?.(pool), stock: createPostgresStockAdmin(pool) })
  const ask = async (method: 'GET' | 'PUT', url: string, body?: object) => {
    const answer = await http.inject({ method, url, ...(body && { payload: body }) })
    return { status: answer.statusCode, body: answer.json() }
  }
  const adjust = async (sku: string, delta: number, key: string, more: object = {}) => {
    const headers = { 'idempotency-key': key, 'x-operator': 'ada' }
    const answer = await http.inject({
      method: 'POST',
      url: `/stock/${sku}/adjustments`,
      headers,
      payload: { delta, ...more }
    })
    return {
      status: answer.statusCode,
      body: answer.json(),
      isReplay: answer.headers['idempotent-replayed'] === 'true'
    }
  }
  return { pool, store, http, listen, ask, adjust }
}

const logger = silentLogger()

/** Sets up the routes with API keys required. */
async function setUpWithCallers(t: TestContext) {
  const { pool, http, listen } = await setUp(t, pool => {
    const callers = createAPIKeyCache(createApiKeyStore(pool), {
      ...{ refreshMs: 3_600_000, trustMs: 3_600_000, requestsPerMinute: 10_000_000, logger, leastGapMs: 1 }
    })
    t.after(() => callers.stop())
    return callers
  })
  const keys = createApiKeyStore(pool)
  const grant = async (name: string, role: Role) => ({
    authorization: `Bearer ${await grantKey(keys, { name, role })}`
  })
  const ask = async (
    method: 'GET' | 'PUT' | 'POST',
    url: string,
    headers: Record<string, string> = {},
    payload?: object
  ) => {
    const answer = await http.inject({ method, url, headers, ...(payload && { payload }) })
    return { status: answer.statusCode, body: answer.json() }
  }
  return { grant, ask, listen }
}

test('setting and adjusting stock records movements with operator and reason', async t => {
  const { pool, ask, adjust } = await setUp(t)
  assert.deepEqual(await ask('PUT', '/stock/MUG', { available: 10, reason: 'counted' }), {
    status: 200,
    body: { sku: 'MUG', available: 10, reserved: 0, onHand: 10 }
  })
  assert.equal((await adjust('MUG', -4, 'broken ones', { reason: 'fell down' })).body.available, 6)
  assert.deepEqual((await ask('GET', '/stock/MUG')).body, { sku: 'MUG', available: 6, reserved: 0, onHand: 6 })
  const { items } = (await ask('GET', '/stock/MUG/movements')).body
  assert.deepEqual(
    items.map(({ kind, delta, available, by, reason }: Record<string, unknown>) => [
      kind,
      delta,
      available,
      by,
      reason
    ]),
    [
      ['adjust', -4, 6, 'ada', 'fell down'],
      ['set', 10, 10, 'anyone', 'counted']
    ]
  )
  await checkMovements(pool)
})

test('onHand includes the reserved pieces, so that no piece is sold twice', async t => {
  const { pool, store, http, ask } = await setUp(t)
  const reserve = (orderID: string, sku: string, quantity: number) =>
    store.decide({ orders: [{ orderID, userID: 'ann', items: [{ sku, quantity }] }], changes: [] })
  await ask('PUT', '/stock', { items: ['MUG', 'TEA'].map(sku => ({ sku, onHand: 5 })) })
  await reserve('1', 'MUG', 2)
  await reserve('2', 'TEA', 3)

  const counted = await ask('PUT', '/stock/MUG', { onHand: 5, reason: 'counted' })
  assert.deepEqual(counted.body, { sku: 'MUG', available: 3, reserved: 2, onHand: 5 })
  const [movement] = (await ask('GET', '/stock/MUG/movements')).body.items
  assert.deepEqual([movement.kind, movement.delta, movement.reason], ['count', 0, 'counted'])

  const below = await ask('PUT', '/stock/MUG', { onHand: 1 })
  assert.deepEqual([below.status, below.body.code], [409, 'STOCK_BELOW_RESERVED'])
  assert.match(below.body.detail, /MUG \(2 reserved\); nothing was changed/)
  const items = [
    { sku: 'NEW', onHand: 1 },
    { sku: 'MUG', onHand: 2 },
    { sku: 'TEA', onHand: 2 }
  ]
  const one = await ask('PUT', '/stock', { items })
  assert.deepEqual([one.status, /: TEA \(3 reserved\);/.test(one.body.detail)], [409, true])
  assert.equal((await ask('GET', '/stock/NEW')).status, 404)
  const file = await http.inject({
    method: 'PUT',
    url: '/stock',
    headers: { 'content-type': 'text/csv' },
    payload: 'sku,onHand\nMUG,2\nTEA,2\n'
  })
  assert.deepEqual([file.statusCode, file.json().code], [409, 'STOCK_BELOW_RESERVED'])
  assert.deepEqual((await ask('GET', '/stock/MUG')).body, { sku: 'MUG', available: 3, reserved: 2, onHand: 5 })

  const shelf = { headers: { accept: 'text/csv' }, url: '/stock?column=onHand' }
  assert.equal((await http.inject(shelf)).body, 'sku,onHand\nMUG,5\nTEA,5\n')
  await checkMovements(pool)
})

test('setting stock requires exactly one of onHand and available', async t => {
  const { ask } = await setUp(t)
  const both = { available: 1, onHand: 1 }
  for (const body of [both, {}, { reason: 'counted' }]) {
    const answer = await ask('PUT', '/stock/MUG', body)
    assert.deepEqual([answer.status, answer.body.errors.length], [400, 1])
    assert.match(answer.body.errors[0].detail, /must have exactly one of `available`, `onHand`/)
  }
  const many = await ask('PUT', '/stock', {
    items: [
      { sku: 'TEA', onHand: 1 },
      { sku: 'MUG', ...both }
    ]
  })
  assert.deepEqual(
    many.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ['#/items/1']
  )
})

test('setting onHand concurrently with reservations conserves pieces', async t => {
  const { pool, store, ask } = await setUp(t)
  await ask('PUT', '/stock/MUG', { onHand: 60 })
  const orders = Array.from({ length: 60 }, (_, index) => ({
    orderID: `order-${index}`,
    userID: 'ann',
    items: [{ sku: 'MUG', quantity: 1 }]
  }))
  await Promise.all([
    ...orders.map(order => store.decide({ orders: [order], changes: [] })),
    ...Array.from({ length: 20 }, () => ask('PUT', '/stock/MUG', { onHand: 60 }))
  ])
  assert.deepEqual(await store.levels(), [{ sku: 'MUG', available: 0, reserved: 60 }])
  await checkMovements(pool)
})

test('an adjustment is applied once per key, even with concurrent requests', async t => {
  const { pool, ask, adjust } = await setUp(t)
  await ask('PUT', '/stock/MUG', { available: 10 })
  await ask('PUT', '/stock/TEA', { available: 10 })
  const answers = await Promise.all(Array.from({ length: 12 }, () => adjust('MUG', 5, 'delivery')))
  assert.deepEqual(new Set(answers.map(({ body }) => body.available)), new Set([15]))
  assert.equal(answers.filter(({ isReplay }) => !isReplay).length, 1)
  await adjust('MUG', 1, 'another')
  assert.deepEqual(await adjust('MUG', 5, 'delivery'), { ...answers[0], isReplay: true })
  for (const other of [
    adjust('MUG', 6, 'delivery'),
    adjust('TEA', 5, 'delivery'),
    adjust('MUG', 5, 'delivery', { reason: 'x' })
  ]) {
    const { status, body } = await other
    assert.deepEqual([status, body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
  }
  const contested = await Promise.all(['MUG', 'TEA'].map(sku => adjust(sku, 7, 'one of two')))
  assert.deepEqual(contested.map(({ status }) => status).toSorted(), [200, 422])
  await checkMovements(pool)
})

test('a refused adjustment changes nothing and can be retried with its key', async t => {
  const { ask, adjust, http } = await setUp(t)
  await ask('PUT', '/stock/MUG', { available: 3 })
  const refused = await adjust('MUG', -4, 'too many')
  assert.deepEqual([refused.status, refused.body.code], [409, 'STOCK_TOO_LOW'])
  assert.match(refused.body.detail, /Only 3 pieces are available/)
  assert.equal((await ask('GET', '/stock/MUG')).body.available, 3)
  await ask('PUT', '/stock/MUG', { available: 4 })
  assert.equal((await adjust('MUG', -4, 'too many')).body.available, 0)
  assert.equal((await adjust('NO-SUCH', 1, 'slip')).body.code, 'SKU_NOT_FOUND')
  assert.equal((await ask('GET', '/stock/NO-SUCH')).status, 404)
  const invalid = await ask('PUT', '/stock/MUG', { available: -1, colour: 'red' })
  assert.deepEqual(
    invalid.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ['#/colour', '#/available']
  )
  const keyless = await http.inject({ method: 'POST', url: '/stock/MUG/adjustments', payload: { delta: 1 } })
  assert.equal(keyless.statusCode, 400)
})

test('adjusting and setting stock concurrently with reservations conserves pieces', async t => {
  const { pool, store, ask, adjust } = await setUp(t)
  await ask('PUT', '/stock', { items: ['MUG', 'TEA'].map(sku => ({ sku, available: 40 })) })
  const orders = Array.from({ length: 60 }, (_, index) => ({
    orderID: `order-${index}`,
    userID: 'ann',
    items: [{ sku: index % 3 === 0 ? 'TEA' : 'MUG', quantity: 1 + (index % 3) }]
  }))
  await Promise.all([
    ...Array.from({ length: 6 }, (_, batch) =>
      store.decide({ orders: orders.slice(batch * 10, batch * 10 + 10), changes: [] })
    ),
    ...Array.from({ length: 30 }, (_, index) =>
      adjust(index % 2 ? 'MUG' : 'TEA', index % 5 ? 3 : -7, `key ${index % 20}`)
    ),
    ...Array.from({ length: 6 }, (_, index) =>
      ask('PUT', '/stock', {
        items: [
          { sku: 'TEA', available: 20 + index },
          { sku: `NEW-${index % 2}`, available: index }
        ]
      })
    )
  ])
  await checkMovements(pool)
  const { rows } = await pool.query(
    'SELECT sku, sum(quantity)::bigint AS held FROM inventory.reservation_lines GROUP BY sku'
  )
  const held = new Map(rows.map(({ sku, held }) => [sku, held]))
  for (const { sku, available, reserved } of await store.levels()) {
    assert.equal(reserved, held.get(sku) ?? 0, sku)
    assert.ok(available >= 0)
  }
})

test('a CSV file is applied completely or not at all, and an exported file can be imported', async t => {
  const { http, ask } = await setUp(t)
  const put = (payload: string) =>
    http.inject({ method: 'PUT', url: '/stock?reason=opening', headers: { 'content-type': 'text/csv' }, payload })
  const file = 'sku,available\n"A ""quoted"", one",7\nMUG,0\nTEA,12\n'
  assert.deepEqual((await put(file)).json(), { count: 3 })
  const read = () => http.inject({ url: '/stock', headers: { accept: 'text/csv' } })
  assert.equal((await read()).body, file)
  const wrong = await put('sku,available\nMUG,5\nTEA,many\n')
  assert.deepEqual([wrong.statusCode, wrong.json().code], [400, 'STOCK_FILE_INVALID'])
  assert.match(wrong.json().detail, /csv:3: .* nothing was changed/)
  const latin1 = await http.inject({
    method: 'PUT',
    url: '/stock',
    headers: { 'content-type': 'text/csv' },
    payload: Buffer.from('sku,available\nMÜSLI,5\n', 'latin1')
  })
  assert.deepEqual([latin1.statusCode, latin1.json().code], [400, 'STOCK_FILE_INVALID'])
  assert.match(latin1.json().detail, /not a valid SKU: use 1 to 64 printable characters in UTF-8/)
  assert.equal((await http.inject({ method: 'PUT', url: '/stock' })).statusCode, 400)
  assert.equal((await read()).body, file)
  const page = (await ask('GET', '/stock?limit=2')).body
  assert.deepEqual([page.items.length, page.nextAfter], [2, 'MUG'])
  assert.equal((await ask('GET', '/stock?limit=2&after=MUG')).body.items[0].sku, 'TEA')
  assert.equal((await ask('GET', '/stock?after=%00')).status, 400)
})

test('with API keys, only operators change stock, under their own names, and a shop reads available pieces only', async t => {
  const { grant, ask } = await setUpWithCallers(t)
  const [ops, night, shop] = [
    await grant('ops', 'operator'),
    await grant('night', 'operator'),
    await grant('berlin', 'shop')
  ]
  const key = { 'idempotency-key': 'k', 'x-operator': 'somebody else' }
  const requests = [
    ['PUT', '/stock/MUG', {}, { available: 5 }],
    ['POST', '/stock/MUG/adjustments', key, { delta: 1 }],
    ['PUT', '/stock', {}, { items: [{ sku: 'TEA', available: 1 }] }],
    ['GET', '/stock', {}, undefined],
    ['GET', '/stock/MUG/movements', {}, undefined]
  ] as const
  for (const [method, url, headers, body] of requests) {
    const nobody = await ask(method, url, headers, body)
    assert.deepEqual([nobody.status, nobody.body.code], [401, 'UNAUTHORIZED'], url)
    const refused = await ask(method, url, { ...headers, ...shop }, body)
    assert.deepEqual([refused.status, refused.body.code], [403, 'ROLE_NOT_ALLOWED'], url)
    assert.equal((await ask(method, url, { ...headers, ...ops }, body)).status, 200, url)
    const read = method === 'GET' ? 200 : 403
    for (const role of ['viewer', 'support'] as const)
      assert.equal(
        (await ask(method, url, { ...headers, ...(await grant(role, role)) }, body)).status,
        read,
        `${role} ${url}`
      )
  }
  // Each operator has separate idempotency keys, so this is another adjustment.
  assert.equal((await ask('POST', '/stock/MUG/adjustments', { ...key, ...night }, { delta: 2 })).status, 200)
  const { items } = (await ask('GET', '/stock/MUG/movements', ops)).body
  assert.deepEqual(
    items.map(({ delta, by }: Record<string, unknown>) => [delta, by]),
    [
      [2, 'night'],
      [1, 'ops'],
      [5, 'ops']
    ]
  )
  assert.equal((await ask('GET', '/stock/MUG')).status, 401)
  assert.deepEqual((await ask('GET', '/stock/MUG', shop)).body, { sku: 'MUG', available: 8 })
  assert.deepEqual((await ask('GET', '/stock/MUG', ops)).body, { sku: 'MUG', available: 8, reserved: 0, onHand: 8 })
})

test('stock requests return 503 with Retry-After while the database is unavailable', async t => {
  const pool = createPool({
    ...{ url: 'postgres://nobody@127.0.0.1:1/nothing', maxConnections: 1, applicationName: 'test' },
    statementTimeoutMs: 1_000
  })
  t.after(() => pool.end())
  const { http } = createTestHttp(t)
  await addStockApi(http, { callers: undefined, stock: createPostgresStockAdmin(pool) })
  for (const request of [
    { url: '/stock/MUG' },
    { url: '/stock' },
    { method: 'PUT', url: '/stock/MUG', payload: { available: 1 } }
  ] as const) {
    const answer = await http.inject(request)
    assert.deepEqual([answer.statusCode, answer.json().code], [503, 'UNAVAILABLE'])
    assert.match(String(answer.headers['retry-after']), /^\d+$/)
  }
})

test('every response to generated requests conforms to the OpenAPI document', async t => {
  const { grant, ask, listen } = await setUpWithCallers(t)
  const baseURL = await listen()
  const { statuses } = await fuzzApi((await ask('GET', '/openapi.json')).body, {
    baseURL,
    headers: await grant('ops', 'operator'),
    runs: 25
  })
  t.diagnostic(JSON.stringify(statuses))
})

test('the examples of the document work as they are, again and again', async t => {
  const { ask, listen } = await setUp(t)
  const baseURL = await listen()
  const document = (await ask('GET', '/openapi.json')).body
  assert.equal((await ask('PUT', '/stock/TEA-EARL-GREY-100G', { available: 40 })).status, 200)
  for (const round of ['first', 'second', 'third']) {
    const answers = await sendExamples(document, baseURL)
    assert.equal(answers.length, 6)
    for (const { operationID, statuses } of answers) {
      assert.ok(statuses.length > 0 && statuses.every(status => status === 200), `${round} ${operationID} ${statuses}`)
    }
  }
})

test('the OpenAPI document contains every stock route', async t => {
  const { ask } = await setUp(t)
  const { body } = await ask('GET', '/openapi.json')
  assert.equal(body.openapi, '3.1.0')
  assert.deepEqual(Object.keys(body.paths).toSorted(), [
    '/stock',
    '/stock/{sku}',
    '/stock/{sku}/adjustments',
    '/stock/{sku}/movements'
  ])
  const { post } = body.paths['/stock/{sku}/adjustments']
  assert.deepEqual(Object.keys(post.responses).toSorted(), [
    ...['200', '400', '401', '403', '404', '408', '409', '413', '415', '417', '421', '422', '429', '431', '500', '503']
  ])
})
