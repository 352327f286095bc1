import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectTopics, createSchemaRegistry, eventID, topicNames } from '@orderly/contracts'
import { createTopics, type KafkaConnection } from '@orderly/kafka'
import { type RecordedRecord, readCommitted } from '@orderly/kafka/testing'
import { integrationEnvironment, startBroker, startService } from '@orderly/launcher/testing'
import { anOrder } from './testing/order-api.ts'

const { kafkaBrokers, registryURL } = integrationEnvironment()
const topic = topicNames.ordersCreated

async function createOrdersTopic(brokers: readonly string[]): Promise<KafkaConnection> {
  const connection = { brokers, clientID: 'order-test' }
  await createTopics(connection, [{ name: topic, partitions: 4, replicationFactor: 1 }])
  return connection
}

/** Address without a server: orders without a key need no database. */
const noDatabase = 'postgres://orderly_order:none@127.0.0.1:1/orderly'

function startOrder(t: TestContext, brokers: readonly string[], settings: Record<string, string> = {}) {
  const servers = { KAFKA_BROKERS: brokers.join(','), SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: noDatabase }
  return startService(t, 'order', { ...servers, ...settings })
}

async function post(url: string, order: unknown, headers: Record<string, string> = {}) {
  const startMs = performance.now()
  const answer = await fetch(`${url}/orders`, {
    method: 'POST',
    body: JSON.stringify(order),
    headers: { 'content-type': 'application/json', ...headers }
  })
  const body = (await answer.json()) as { orderID: string }
  return { status: answer.status, headers: answer.headers, orderID: body.orderID, tookMs: performance.now() - startMs }
}

const eventIDs = (orderIDs: readonly string[]): Set<string> =>
  new Set(orderIDs.map(orderID => eventID('OrderCreated', orderID)))

/** Returns a predicate that is true if the records contain all wanted events. */
function holds(wanted: ReadonlySet<string>) {
  return (records: readonly RecordedRecord[]): boolean => {
    const found = new Set(records.map(({ headers }) => headers['event-id']))
    return [...wanted].every(id => found.has(id))
  }
}

test('an order that got 202 is in orders.created with its key, headers and content', async t => {
  const connection = await createOrdersTopic(kafkaBrokers)
  const { url, logs } = await startOrder(t, kafkaBrokers)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const userID = `user-${crypto.randomUUID()}`

  assert.equal((await post(url, { ...anOrder, userID, total: 1.005 })).status, 400)
  const { status, orderID, headers } = await post(url, { ...anOrder, userID }, { traceparent })
  assert.equal(status, 202)

  const ours = (record: { key: string }): boolean => record.key === userID
  const records = (await readCommitted(connection, topic, all => all.some(ours))).filter(ours)
  const [record] = records
  assert.ok(record !== undefined && records.length === 1)
  assert.equal(record.headers['event-id'], `OrderCreated-${orderID}`)
  assert.equal(record.headers.traceparent, headers.get('traceparent'))
  assert.match(String(record.headers.traceparent), /^00-0af7651916cd43dd8448eb211c80319c-/)

  const { codec } = (await connectTopics(createSchemaRegistry({ url: registryURL }))).ordersCreated
  await codec.prepare([record.value])
  const { createdAtMs, ...event } = codec.decode(record.value)
  assert.deepEqual(JSON.parse(JSON.stringify(event)), {
    orderID,
    userID,
    items: anOrder.items,
    totalMinor: 2_590,
    currency: 'EUR',
    holdSeconds: null
  })
  assert.ok(Math.abs(Date.now() - createdAtMs) < 60_000)

  // In the dev profile authentication is off, and the service logs a warning.
  assert.equal(record.headers.caller, undefined)
  assert.ok((await logs()).some(({ event, level }) => event === 'api_keys_off' && level === 'warn'))
})

test('while the broker is unavailable orders get 503 in time, and no order that got 202 is lost', async t => {
  const deliveryTimeoutMs = 1_000
  const broker = await startBroker(t)
  const connection = await createOrdersTopic(broker.brokers)
  const service = await startOrder(t, broker.brokers, { ORDER_DELIVERY_TIMEOUT_MS: String(deliveryTimeoutMs) })

  const accepted: string[] = []
  const refusals: Awaited<ReturnType<typeof post>>[] = []
  const waiters: { readonly enough: () => boolean; readonly resolve: () => void }[] = []
  const until = (enough: () => boolean) => new Promise<void>(resolve => waiters.push({ enough, resolve }))
  let isLoading = true
  const shoppers = Array.from({ length: 8 }, async (_, shopper) => {
    for (let order = 0; isLoading; order++) {
      const answer = await post(service.url, { ...anOrder, userID: `user-${shopper}-${order % 50}` })
      if (answer.status === 202) accepted.push(answer.orderID)
      else refusals.push(answer)
      for (const { enough, resolve } of waiters) if (enough()) resolve()
    }
  })

  await until(() => accepted.length > 200)
  await broker.stop()
  const refusedBefore = refusals.length
  await until(() => refusals.length >= refusedBefore + 24)
  assert.equal((await fetch(`${service.url}/health/live`)).status, 200)

  await broker.start()
  const acceptedBefore = accepted.length
  await until(() => accepted.length > acceptedBefore + 200)
  isLoading = false
  await Promise.all(shoppers)

  for (const { status, headers } of refusals) {
    assert.equal(status, 503)
    assert.match(headers.get('retry-after') ?? '', /^\d+$/)
  }
  const slowestMs = Math.max(...refusals.map(({ tookMs }) => tookMs))
  t.diagnostic(
    `${accepted.length} accepted, ${refusals.length} refused, the slowest refusal took ${Math.round(slowestMs)} ms`
  )
  assert.ok(slowestMs < deliveryTimeoutMs * 2, `${slowestMs} ms`)

  const wanted = eventIDs(accepted)
  assert.equal(wanted.size, accepted.length)
  const written = await readCommitted(connection, topic, holds(wanted))
  const ids = written.map(({ headers }) => headers['event-id'])
  assert.equal(new Set(ids).size, ids.length, 'each order is stored once')

  await broker.stop()
  const lastOrders = Array.from({ length: 5 }, () => post(service.url, anOrder))
  // This request is sent after the orders, so they are pending when it is answered.
  await fetch(`${service.url}/health/live`)
  service.signal('SIGTERM')
  for (const { status } of await Promise.all(lastOrders)) assert.equal(status, 503)
  assert.equal((await service.exit).code, 0, 'a stop does not wait for an unavailable broker')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} under load: the service exits with code 0, and every order that got 202 is stored`, async t => {
    const connection = await createOrdersTopic(kafkaBrokers)
    const service = await startOrder(t, kafkaBrokers)
    const userID = `user-${crypto.randomUUID()}`
    const accepted: string[] = []
    const shoppers = Array.from({ length: 4 }, async () => {
      for (;;) {
        const answer = await post(service.url, { ...anOrder, userID }).catch(() => undefined)
        if (answer === undefined) return
        assert.equal(answer.status, 202)
        if (accepted.push(answer.orderID) === 100) service.signal(signal)
      }
    })
    await Promise.all(shoppers)
    assert.equal((await service.exit).code, 0)
    await readCommitted(connection, topic, holds(eventIDs(accepted)))
  })
}

test('the prod profile reports every missing setting and exits with code 78', async t => {
  await assert.rejects(
    startOrder(t, kafkaBrokers, { ORDERLY_PROFILE: 'prod', SCHEMA_REGISTRY_URL: '' }),
    /exit code 78[\s\S]*INSTANCE_ID is not set[\s\S]*SCHEMA_REGISTRY_URL is not set/
  )
})
