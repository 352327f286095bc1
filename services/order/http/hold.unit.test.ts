import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anOrder, createOrderApi } from '../testing/order-api.ts'

test('with OrderCreated V1 and V2 a hold is refused by name', async t => {
  for (const orderCreatedVersion of [1, 2]) {
    const { post, broker } = await createOrderApi(t, { orderCreatedVersion })
    const answer = await post({ ...anOrder, holdSeconds: 900 })
    assert.equal(answer.status, 400)
    assert.deepEqual(answer.body.errors, [{ pointer: '#/holdSeconds', detail: 'is not a known field' }])
    assert.equal(broker.records('orders.created').length, 0)
  }
})

test('with OrderCreated V3 an order has the hold that it names, or none', async t => {
  const { post, broker, topics } = await createOrderApi(t, { orderCreatedVersion: 3 })
  for (const holdSeconds of [1, 604_800]) assert.equal((await post({ ...anOrder, holdSeconds })).status, 202)
  assert.equal((await post(anOrder)).status, 202)
  const values = broker.records('orders.created').map(({ value }) => value)
  await topics.ordersCreated.codec.prepare(values)
  assert.deepEqual(
    values.map(value => topics.ordersCreated.codec.decode(value).holdSeconds),
    [1, 604_800, null]
  )
  for (const holdSeconds of [0, -1, 1.5, 604_801, '900', null]) {
    const { status, body } = await post({ ...anOrder, holdSeconds })
    assert.deepEqual([status, body.errors?.[0]?.pointer], [400, '#/holdSeconds'], String(holdSeconds))
  }
})
