import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { everyField, refusedValues } from '../domain/testing/every-field.ts'
import { anOrder, createOrderApi } from '../testing/order-api.ts'
import { PlaceOrder } from './schema.ts'

const [line] = anOrder.items

/** Refused bodies with the pointers of the reported fields. */
const refusals: readonly [title: string, body: unknown, pointers: readonly string[]][] = [
  ['an empty object', {}, ['#/userID', '#/items', '#/total']],
  ['null', 'null', ['#']],
  ['an array', [anOrder], ['#']],
  ['a string', '"order"', ['#']],
  ['a user that is not a string', { ...anOrder, userID: 17 }, ['#/userID']],
  ['an empty user', { ...anOrder, userID: '' }, ['#/userID']],
  ['a blank user', { ...anOrder, userID: ' \t' }, ['#/userID']],
  ['white space before the user', { ...anOrder, userID: ' user' }, ['#/userID']],
  ['a line break in the user', { ...anOrder, userID: 'a\nb' }, ['#/userID']],
  ['a lone surrogate in the user', { ...anOrder, userID: 'a\ud800' }, ['#/userID']],
  ['a user in Latin-1', Buffer.from(JSON.stringify({ ...anOrder, userID: 'Jörg' }), 'latin1'), ['#/userID']],
  ['a user of 129 characters', { ...anOrder, userID: 'x'.repeat(129) }, ['#/userID']],
  ['no items', { ...anOrder, items: [] }, ['#/items']],
  ['items that are not an array', { ...anOrder, items: line }, ['#/items']],
  [
    '101 items',
    { ...anOrder, items: Array.from({ length: 101 }, (_, i) => ({ sku: `${i}`, quantity: 1 })) },
    ['#/items']
  ],
  ['an item that is not an object', { ...anOrder, items: [line, 7] }, ['#/items/1']],
  ['an item without a quantity', { ...anOrder, items: [{ sku: 'A' }] }, ['#/items/0/quantity']],
  ['a quantity of 0', { ...anOrder, items: [{ sku: 'A', quantity: 0 }] }, ['#/items/0/quantity']],
  ['a quantity of 0.5', { ...anOrder, items: [{ sku: 'A', quantity: 0.5 }] }, ['#/items/0/quantity']],
  ['a quantity as a string', { ...anOrder, items: [{ sku: 'A', quantity: '1' }] }, ['#/items/0/quantity']],
  ['a quantity above the limit', { ...anOrder, items: [{ sku: 'A', quantity: 1_000_001 }] }, ['#/items/0/quantity']],
  ['the same SKU twice', { ...anOrder, items: [line, { sku: 'B', quantity: 1 }, line] }, ['#/items/2/sku']],
  ['a total below zero', { ...anOrder, total: -0.01 }, ['#/total']],
  ['a total with three decimals', { ...anOrder, total: 1.005 }, ['#/total']],
  ['a total that is too large', { ...anOrder, total: 1_000_000_000.01 }, ['#/total']],
  ['an infinite total', JSON.stringify(anOrder).replace('25.9', '1e999'), ['#/total']],
  ['unknown fields', { ...anOrder, 'a/b~c': 1, items: [{ ...line, price: 1 }] }, ['#/a~1b~0c', '#/items/0/price']],
  [
    'several invalid fields',
    { userID: null, items: [{ sku: '', quantity: 1.5 }], total: 'free' },
    ['#/userID', '#/items/0/sku', '#/items/0/quantity', '#/total']
  ],
  [
    'too many decimals for the currency and other invalid fields',
    { userID: '', items: [line, line], total: 1.5, currency: 'JPY', note: 'x' },
    ['#/userID', '#/items/1/sku', '#/total', '#/note']
  ]
]

for (const [title, body, pointers] of refusals) {
  test(`${title}: gets 400 with every invalid field, and no record is written`, async t => {
    const { post, broker } = await createOrderApi(t)
    const answer = await post(body)
    assert.equal(answer.status, 400)
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    assert.equal(answer.body.code, 'INVALID_REQUEST')
    const named = answer.body.errors.map((error: { pointer: string }) => error.pointer)
    assert.deepEqual(named.sort(), [...pointers].sort())
    assert.equal(broker.records('orders.created').length, 0)
  })
}

for (const [field, values] of Object.entries(refusedValues)) {
  test(`each refused value of ${field} gets 400`, async t => {
    const { post } = await createOrderApi(t)
    for (const value of values) {
      const answer = await post({ ...everyField, [field]: value })
      assert.equal(answer.status, 400)
      assert.match(answer.body.errors[0].pointer, new RegExp(`^#/${field}`))
    }
  })
}

interface Field {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly description?: string
  readonly items?: { readonly properties: Readonly<Record<string, Field>> }
}

test('every field of an order has limits, and every text refuses what Postgres or Avro cannot store', () => {
  const check = (name: string, field: Field) => {
    if (field.enum !== undefined) return
    const limits = { string: 'maxLength', array: 'maxItems', integer: 'maximum', number: 'maximum' }[field.type ?? '']
    assert.ok(limits !== undefined && limits in field, `${name} needs ${limits ?? 'a type with a limit'}`)
    for (const [inner, schema] of Object.entries(field.items?.properties ?? {})) check(`${name}.${inner}`, schema)
    if (field.type !== 'string') return
    const pattern = new RegExp(field.pattern ?? '', 'u')
    for (const text of ['a\0', 'a\nb', 'a\ud800'])
      assert.doesNotMatch(text, pattern, `${name} needs pattern: printable`)
    assert.match(field.description ?? '', /^[^A-Z].*[^.]$/, `the description of ${name} completes "must be …"`)
  }
  for (const [name, field] of Object.entries(PlaceOrder.properties)) check(name, field as Field)
})

test('the guide on placing orders describes every field', async () => {
  const guide = await readFile(new URL('../../../docs/guides/place-orders.md', import.meta.url), 'utf8')
  for (const name of Object.keys(PlaceOrder.properties)) assert.ok(guide.includes(`\n| \`${name}\` |`), name)
})

test('the largest order is accepted, even if every character is escaped', async t => {
  const { post } = await createOrderApi(t)
  const sku = (index: number): string => `${index}${'😀'.repeat(64 - `${index}`.length)}`
  const items = Array.from({ length: 100 }, (_, index) => ({ sku: sku(index), quantity: 1_000_000 }))
  const largest = JSON.stringify({ userID: '😀'.repeat(128), items, total: 1_000_000_000 })
  assert.equal((await post(largest)).status, 202)
  const escaped = largest.replace(/[\ud800-\udfff]/g, unit => `\\u${unit.charCodeAt(0).toString(16)}`)
  assert.equal((await post(escaped)).status, 202)
})

test('an order of one piece with a total of 0 is accepted', async t => {
  const { post } = await createOrderApi(t)
  assert.equal((await post({ userID: 'u', items: [{ sku: 's', quantity: 1 }], total: 0 })).status, 202)
})

test('malformed JSON, an empty body and a __proto__ field get 400', async t => {
  const { post } = await createOrderApi(t)
  for (const body of ['{', '', '{"userID":', '{"__proto__":{"userID":"x"}}']) {
    const answer = await post(body)
    assert.equal(answer.status, 400, body.slice(0, 20))
    assert.equal(answer.body.code, 'INVALID_JSON')
  }
})

test('a body of 1 MB gets 413', async t => {
  const { post, broker } = await createOrderApi(t)
  const answer = await post({ ...anOrder, userID: 'x'.repeat(1_000_000) })
  assert.equal(answer.status, 413)
  assert.equal(answer.body.code, 'BODY_TOO_LARGE')
  assert.equal(broker.records('orders.created').length, 0)
})

test('an invalid header, path or query parameter is reported with its location and allowed values', async t => {
  const { http, post } = await createOrderApi(t)
  const ask = async (url: string) => (await http.inject(url)).json().errors
  const keyed = await post(anOrder, { 'idempotency-key': 'k'.repeat(256) })
  const [wrongKey] = keyed.body.errors
  assert.deepEqual([wrongKey.in, wrongKey.pointer], ['header', '#/idempotency-key'])
  assert.match(wrongKey.detail, /^must be one key of 1 to 255 printable ASCII characters, `abc` or `"abc"`/)
  assert.deepEqual(await ask('/orders?userID=ann&limit=0'), [
    { in: 'query', pointer: '#/limit', detail: 'must be 1 to 100, default 20' }
  ])
  assert.deepEqual(await ask('/orders/%00'), [
    {
      in: 'path',
      pointer: '#/orderID',
      detail: 'must be the `orderID` from the answer to `POST /orders`: 1 to 64 printable characters'
    }
  ])
  assert.deepEqual(await ask('/orders/x/events?until=ever'), [
    { in: 'query', pointer: '#/until', detail: 'must be one of settled, final' }
  ])
})

test('the explanation of an invalid value is an English sentence about the field', async t => {
  const { post } = await createOrderApi(t)
  const detailsOf = async (fields: object) => {
    const { body } = await post({ ...anOrder, ...fields })
    return body.errors.map(
      ({ pointer, detail }: { pointer: string; detail: string }) => `${pointer.slice(2)} ${detail}`
    )
  }
  for (const [fields, sentence] of [
    [{ userID: 17 }, 'userID must be a string'],
    [{ items: {} }, 'items must be an array'],
    [{ items: [{ sku: 'A', quantity: 1.5 }] }, 'items/0/quantity must be an integer'],
    [{ items: [{ sku: 'A', quantity: 0 }] }, 'items/0/quantity must be 1 to 1,000,000'],
    [{ items: [] }, 'items must have at least 1 item'],
    [
      { items: Array.from({ length: 101 }, (_, i) => ({ sku: `${i}`, quantity: 1 })) },
      'items must have at most 100 items'
    ],
    [{ userID: '' }, 'userID must have at least 1 character'],
    [{ userID: 'x'.repeat(129) }, 'userID must have at most 128 characters'],
    [{ userID: ' a' }, 'userID must be 1 to 128 printable characters without white space around them'],
    [{ total: -1 }, 'total must be 0 to 1,000,000,000'],
    [{ note: 'x' }, 'note is not a known field']
  ] as const) {
    assert.deepEqual(await detailsOf(fields), [sentence])
  }
})

test('a total with too many decimals gets one explanation, however many they are', async t => {
  for (const orderCreatedVersion of [1, 2, 3]) {
    const { post } = await createOrderApi(t, { orderCreatedVersion })
    for (const total of [0.1 + 0.2, 1.005, 1e-7]) {
      const { body } = await post({ ...anOrder, total })
      assert.deepEqual(body.errors, [{ pointer: '#/total', detail: 'must have at most 2 decimals in EUR' }])
    }
  }
})

test('a trailing slash in a path has no effect', async t => {
  const { http } = await createOrderApi(t)
  const placed = await http.inject({ method: 'POST', url: '/orders/', payload: anOrder })
  assert.equal(placed.statusCode, 202)
  assert.equal((await http.inject('/orders/?userID=ann')).statusCode, 200)
})

test('an unsupported content type gets 415', async t => {
  const { post } = await createOrderApi(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'rubbish']) {
    const answer = await post(anOrder, { 'content-type': type })
    assert.equal(answer.status, 415, type)
    assert.equal(answer.body.code, 'UNSUPPORTED_MEDIA_TYPE')
  }
})

test('a compressed body gets 415 with the reason', async t => {
  const { post } = await createOrderApi(t)
  const { status, body } = await post(gzipSync(JSON.stringify(anOrder)), { 'content-encoding': 'gzip' })
  assert.deepEqual([status, body.detail], [415, 'Send the body without Content-Encoding.'])
})

test('the number of reported errors is limited, and a body with too many values is not validated', async t => {
  const { post } = await createOrderApi(t)
  const answer = await post({ ...anOrder, items: Array.from({ length: 900 }, () => ({})) })
  assert.deepEqual([answer.status, answer.body.errors.length], [400, 50])
  const more = await post({ ...anOrder, items: Array.from({ length: 10_000 }, () => ({})) })
  const detail = 'must have at most 2,000 values, including nested ones'
  assert.deepEqual([more.status, more.body.errors], [400, [{ pointer: '#', detail }]])
})

test('an unknown field with a very long name is reported with a shortened name', async t => {
  const { post } = await createOrderApi(t)
  const answer = await post({ ...anOrder, ['ü\ud800'.repeat(5_000)]: 1 })
  assert.equal(answer.status, 400)
  assert.ok(answer.body.errors[0].pointer.length < 2_000)
})

test('any JSON is accepted as an order or refused with 400', async t => {
  const { post, broker } = await createOrderApi(t)
  const orderLike = fc.record(
    {
      userID: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
      items: fc.oneof(
        fc.array(fc.record({ sku: fc.string({ minLength: 1 }), quantity: fc.oneof(fc.nat(), fc.jsonValue()) })),
        fc.jsonValue()
      ),
      total: fc.oneof(
        fc.double(),
        fc.nat().map(cents => cents / 100),
        fc.jsonValue()
      ),
      extra: fc.jsonValue()
    },
    { requiredKeys: [] }
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(orderLike, fc.jsonValue({ maxDepth: 6 })), async body => {
      const before = broker.records('orders.created').length
      const { status } = await post(JSON.stringify(body))
      assert.ok(status === 202 || status === 400, String(status))
      assert.equal(broker.records('orders.created').length - before, status === 202 ? 1 : 0)
    }),
    { numRuns: 500 }
  )
})

test('any bytes are refused with 4xx', async t => {
  const { http } = await createOrderApi(t)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
      const payload = Buffer.from(bytes)
      const headers = { 'content-type': 'application/json' }
      const answer = await http.inject({ method: 'POST', url: '/orders', payload, headers })
      assert.ok(answer.statusCode >= 400 && answer.statusCode < 500, String(answer.statusCode))
    })
  )
})
