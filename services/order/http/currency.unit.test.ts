import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anOrder, createOrderApi } from '../testing/order-api.ts'

test('with OrderCreated V1 a currency is refused by name, and orders are in euros', async t => {
  const { post, broker, topics } = await createOrderApi(t, { orderCreatedVersion: 1 })
  const answer = await post({ ...anOrder, currency: 'EUR' })
  assert.equal(answer.status, 400)
  assert.deepEqual(answer.body.errors, [{ pointer: '#/currency', detail: 'is not a known field' }])
  assert.equal((await post({ ...anOrder, total: 1.234 })).status, 400)
  assert.equal(broker.records('orders.created').length, 0)

  assert.equal((await post(anOrder)).status, 202)
  const [record] = broker.records('orders.created')
  await topics.ordersCreated.codec.prepare([record?.value as Buffer])
  assert.equal(topics.ordersCreated.codec.decode(record?.value as Buffer).currency, 'EUR')
})

test('with OrderCreated V2 an order is in the currency that it names, or in euros', async t => {
  const { post, broker, topics } = await createOrderApi(t, { orderCreatedVersion: 2 })
  const orders = [
    [{ total: 2_500, currency: 'JPY' }, 2_500, 'JPY'],
    [{ total: 1.234, currency: 'KWD' }, 1_234, 'KWD'],
    [{ total: 25.9, currency: 'USD' }, 2_590, 'USD'],
    [{ total: 25.9 }, 2_590, 'EUR']
  ] as const
  for (const [fields] of orders) assert.equal((await post({ ...anOrder, ...fields })).status, 202)
  const values = broker.records('orders.created').map(({ value }) => value as Buffer)
  const { codec } = topics.ordersCreated
  await codec.prepare(values)
  const events = values.map(value => codec.decode(value))
  // All orders have the same user and therefore the same partition, which keeps their order.
  assert.deepEqual(
    events.map(({ totalMinor, currency }) => [totalMinor, currency]),
    orders.map(([, totalMinor, currency]) => [totalMinor, currency])
  )
})

test('a total with too many decimals for its currency and an unknown currency are refused by field', async t => {
  const { post, broker } = await createOrderApi(t, { orderCreatedVersion: 2 })
  for (const [fields, pointer, detail] of [
    [{ total: 25.9, currency: 'JPY' }, '#/total', /no decimals in JPY/],
    [{ total: 1.234, currency: 'EUR' }, '#/total', /at most 2 decimals in EUR/],
    [{ total: 1.234 }, '#/total', /at most 2 decimals in EUR/],
    [{ total: 1.2345, currency: 'KWD' }, '#/total', /at most 3 decimals in KWD/],
    [{ currency: 'DEM' }, '#/currency', /must be the ISO 4217 code/],
    [{ currency: 'eur' }, '#/currency', /in upper case/],
    [{ currency: null }, '#/currency', /./]
  ] as const) {
    const answer = await post({ ...anOrder, ...fields })
    assert.deepEqual([answer.status, answer.body.code], [400, 'INVALID_REQUEST'], JSON.stringify(fields))
    assert.deepEqual(
      answer.body.errors.map((error: { pointer: string }) => error.pointer),
      [pointer]
    )
    assert.match(answer.body.errors[0].detail, detail)
  }
  assert.equal(broker.records('orders.created').length, 0)
})

test('the OpenAPI document contains the currency only if it is accepted', async t => {
  for (const version of [1, 2]) {
    const { http } = await createOrderApi(t, { orderCreatedVersion: version })
    const { components } = (await http.inject('/openapi.json')).json()
    const { currency } = components.schemas.PlaceOrder.properties
    assert.equal(currency === undefined, version === 1)
    if (version === 2) assert.ok(currency.enum.includes('CHF') && currency.default === 'EUR')
  }
})
