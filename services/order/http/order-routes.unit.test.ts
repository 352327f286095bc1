import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultsOf, orderCreatedSchemas } from '@orderly/contracts'
import { KafkaError } from '@orderly/kafka'
import { createTestHttp } from '@orderly/service-kit/testing'
import { Registry } from 'prom-client'
import { anOrder, createOrderApi, nowMs } from '../testing/order-api.ts'
import { addOrderRoutes, createPlace } from './order-routes.ts'
import { querySchemas } from './order-schema.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('an accepted order is one record in orders.created with the expected key, headers and bytes', async t => {
  const { post, broker, topics } = await createOrderApi(t)
  const answer = await post(anOrder, { traceparent })
  assert.equal(answer.status, 202)
  const self = `/orders/${answer.body.orderID}`
  const links = { self, events: `${self}/events` }
  assert.deepEqual(answer.body, { orderID: answer.body.orderID, status: 'accepted', links })
  assert.equal(answer.headers.location, self)

  const [record, ...others] = broker.records('orders.created')
  assert.ok(record !== undefined && others.length === 0)
  assert.equal(record.key, 'user-17')
  assert.deepEqual(record.headers, {
    ...topics.ordersCreated.codec.headers,
    'event-id': `OrderCreated-${answer.body.orderID}`,
    'content-type': 'application/vnd.confluent.avro',
    traceparent: answer.headers.traceparent
  })
  const { userID, items } = anOrder
  const event = {
    ...defaultsOf(orderCreatedSchemas),
    orderID: answer.body.orderID,
    userID,
    items,
    totalMinor: 2_590,
    currency: 'EUR',
    createdAtMs: nowMs
  }
  assert.deepEqual(record.value, topics.ordersCreated.codec.encode(event))
})

test('the record and the answer continue the trace of the request', async t => {
  const { post, broker } = await createOrderApi(t)
  const { headers } = await post(anOrder, { traceparent })
  assert.match(String(headers.traceparent), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
  assert.notEqual(headers.traceparent, traceparent)
  assert.equal(broker.records('orders.created')[0]?.headers.traceparent, headers.traceparent)
})

test('a missing or invalid traceparent starts a new trace', async t => {
  const { post } = await createOrderApi(t)
  for (const given of [undefined, 'rubbish', `${traceparent}, ${traceparent}`]) {
    const { status, headers } = await post(anOrder, given === undefined ? {} : { traceparent: given })
    assert.equal(status, 202)
    assert.match(String(headers.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    assert.ok(!String(headers.traceparent).includes('0af7651916cd43dd8448eb211c80319c'))
  }
})

test('an order is answered only after its acknowledgement', async t => {
  const { http } = createTestHttp(t)
  const steps: string[] = []
  const publishOrder = async (): Promise<void> => {
    await new Promise(resolve => setImmediate(resolve))
    steps.push('acknowledged')
  }
  for (const schema of querySchemas) http.addSchema(schema)
  const placeIdempotently = async (): Promise<never> => assert.fail('it has no key')
  const place = createPlace({ publishOrder, placeIdempotently, metrics: new Registry(), nowMs: () => nowMs })
  addOrderRoutes(http, {
    place,
    watch: { until: () => undefined },
    orderCreatedVersion: orderCreatedSchemas.newestVersion
  })
  http.addHook('onSend', async () => {
    steps.push('answered')
  })
  assert.equal((await http.inject({ method: 'POST', url: '/orders', payload: anOrder })).statusCode, 202)
  assert.deepEqual(steps, ['acknowledged', 'answered'])
})

for (const code of ['PRODUCER_QUEUE_FULL', 'DELIVERY_TIMEOUT', 'BROKER_UNAVAILABLE']) {
  test(`${code} gets 503 with Retry-After and the trace of the request`, async t => {
    const { post, broker } = await createOrderApi(t)
    broker.failNextSend(new KafkaError(code, 'for the test', { retryable: true }))
    const { status, headers, body } = await post(anOrder, { traceparent })
    assert.equal(status, 503)
    assert.match(String(headers['retry-after']), /^[1-9]\d*$/)
    assert.match(String(headers.traceparent), /0af7651916cd43dd8448eb211c80319c/)
    assert.equal(body.code, 'UNAVAILABLE')
    assert.equal(broker.records('orders.created').length, 0)
    assert.equal((await post(anOrder)).status, 202)
  })
}

test('a permanent error gets 500', async t => {
  const { post, broker } = await createOrderApi(t)
  broker.failNextSend(new KafkaError('TOPIC_AUTHORIZATION_FAILED', 'for the test', { retryable: false }))
  assert.equal((await post(anOrder)).status, 500)
})

test('an unsupported method gets 405, an unknown path gets 404', async t => {
  const { listen } = await createOrderApi(t)
  const address = await listen()
  const put = await fetch(`${address}/orders`, { method: 'PUT' })
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST'])
  assert.equal((await fetch(`${address}/order`)).status, 404)
})
