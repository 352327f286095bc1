import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TestService } from '@orderly/launcher/testing'
import { createAvroCodec } from './avro/codec.ts'
import { fingerprintHeader } from './avro/fingerprint.ts'
import { inventoryReservedSchemas } from './generated/inventory-reserved.ts'
import { orderCreatedSchemas } from './generated/order-created.ts'
import { toRecord } from './records.ts'
import { createSchemaRegistry } from './registry/confluent.ts'
import { newestSchema, type RecordSchema } from './schema.ts'
import { inventoryReserved, orderCreated } from './testing/fixtures.ts'
import { type ServicePipeline, startServicePipeline, until } from './testing/service-pipeline.ts'
import { connectTopics, topicNames } from './topics.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const newestVersion = String(orderCreatedSchemas.newestVersion)
const note = { name: 'note', type: ['null', 'string'], default: null }

type FutureEvent = { readonly orderID: string; readonly userID: string; readonly [field: string]: unknown }

interface Traffic {
  readonly accepted: readonly string[]
  stop(): Promise<void>
}

/** Places orders sequentially until stopped. All of them must be accepted. */
function placeOrders({ url }: TestService, orders: readonly object[]): Traffic {
  const accepted: string[] = []
  let isStopped = false
  async function place(): Promise<void> {
    for (let count = 0; !isStopped; count++) {
      const answer = await fetch(`${url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ userID: `user-${count % 40}`, ...orders[count % orders.length] })
      })
      const body = (await answer.json()) as { orderID: string }
      assert.equal(answer.status, 202, JSON.stringify(body))
      accepted.push(body.orderID)
    }
  }
  const placing = place()
  placing.catch(() => {})
  return {
    accepted,
    stop() {
      isStopped = true
      return placing
    }
  }
}

async function untilReported({ reported }: ServicePipeline, orderIDs: readonly string[]): Promise<void> {
  await until(async () => {
    const orders = await reported()
    return orderIDs.every(orderID => orders.has(orderID))
  })
}

async function assertNoDeadLetters({ errors, deadLetters }: ServicePipeline): Promise<void> {
  assert.deepEqual(await errors(), [])
  for (const name of [topicNames.ordersCreated, topicNames.inventoryReserved, topicNames.inventoryFailed]) {
    assert.deepEqual(await deadLetters(name), [])
  }
}

test('with producers of V1 and the newest version, a rolling restart of the consumers causes no error and no dead letter', async t => {
  const pipeline = await startServicePipeline(t)
  const items = [{ sku: pipeline.sku, quantity: 1 }]
  const consumers = new Map<string, TestService>()
  const places = [
    ['inventory', 'one'],
    ['inventory', 'two'],
    ['notification', 'one'],
    ['notification', 'two']
  ] as const
  const [old, current] = await Promise.all([
    pipeline.start('order', 'old', { ORDER_CREATED_VERSION: '1' }),
    pipeline.start('order', 'current', { ORDER_CREATED_VERSION: newestVersion }),
    ...places.map(async ([name, instance]) => {
      const consumer = await pipeline.start(name, instance)
      consumers.set(`${name} ${instance}`, consumer)
      return consumer
    })
  ])
  const traffic = [
    placeOrders(old, [{ items, total: 12.5 }]),
    placeOrders(current, [
      { items, total: 12.5 },
      { items, total: 2_500, currency: 'JPY' },
      { items, total: 1.234, currency: 'KWD' },
      { items, total: 12.5, holdSeconds: 3_600 }
    ])
  ]
  const accepted = () => traffic.flatMap(({ accepted }) => accepted)
  const untilMoreOf = (counts: readonly number[]) =>
    until(() => traffic.every(({ accepted }, index) => accepted.length >= (counts[index] ?? 0) + 50))

  for (const [name, instance] of places) {
    await untilMoreOf(traffic.map(({ accepted }) => accepted.length))
    const exit = await consumers.get(`${name} ${instance}`)?.stop('SIGTERM')
    assert.equal(exit?.code, 0)
    await untilMoreOf(traffic.map(({ accepted }) => accepted.length))
    await pipeline.start(name, instance)
  }
  await untilMoreOf(traffic.map(({ accepted }) => accepted.length))
  await Promise.all(traffic.map(({ stop }) => stop()))
  t.diagnostic(`${traffic.map(({ accepted }) => accepted.length).join(' orders of V1 and ')} of V${newestVersion}`)

  // The producers swap versions: one is upgraded to the newest, the other is rolled back to V1.
  for (const [service, instance, version] of [
    [old, 'old', newestVersion],
    [current, 'current', '1']
  ] as const) {
    assert.equal((await service.stop('SIGTERM')).code, 0)
    const producer = await pipeline.start('order', instance, { ORDER_CREATED_VERSION: version })
    traffic.push(placeOrders(producer, [{ items, total: 12.5, ...(version === newestVersion && { currency: 'USD' }) }]))
  }
  await untilMoreOf([])
  await Promise.all(traffic.map(({ stop }) => stop()))
  await untilReported(pipeline, accepted())
  await assertNoDeadLetters(pipeline)
})

test('records of a future version are processed, and unreadable records become dead letters with a reason', async t => {
  const pipeline = await startServicePipeline(t)
  const registry = createSchemaRegistry({ url: pipeline.view.url })
  const topics = await connectTopics(registry)
  await pipeline.start('inventory', 'one')
  await pipeline.start('notification', 'one')
  const items = [{ sku: pipeline.sku, quantity: 1 }]

  await t.test('future versions of OrderCreated and InventoryReserved are processed and notified', async () => {
    const order = orderCreated({ items })
    const reserved = inventoryReserved()
    const futureOrders = await futureTopic(registry, topics.ordersCreated, newestSchema(orderCreatedSchemas))
    const futureReserved = await futureTopic(registry, topics.inventoryReserved, newestSchema(inventoryReservedSchemas))
    await pipeline.producer.send([
      toRecord(futureOrders, { ...order, note: 'ring twice' }, traceparent),
      toRecord(topics.ordersCreated, orderCreated({ items }), traceparent),
      toRecord(futureReserved, { ...reserved, note: 'gift' }, traceparent)
    ])
    await untilReported(pipeline, [order.orderID, reserved.orderID])
    await assertNoDeadLetters(pipeline)
  })

  await t.test(
    'records with an unknown id, an unknown fingerprint or invalid bytes become dead letters, and others are processed',
    async () => {
      const valid = toRecord(topics.ordersCreated, orderCreated({ items }), traceparent)
      const value = valid.value as Buffer
      const unknown = Buffer.from(value)
      unknown.writeInt32BE(987_654_321, 1)
      const { [fingerprintHeader]: _, ...withoutFingerprint } = valid.headers as Record<string, string>
      const unknownFingerprint = { ...valid.headers, [fingerprintHeader]: '0123456789abcdef' }
      const damaged = [
        ['SCHEMA_UNKNOWN', unknown, withoutFingerprint],
        ['SCHEMA_UNKNOWN', value, unknownFingerprint],
        ['RECORD_TRUNCATED', value.subarray(0, -3), valid.headers],
        ['WIRE_FORMAT_INVALID', Buffer.from('{"orderID":"1"}'), valid.headers]
      ] as const
      const others = Array.from({ length: 20 }, () => orderCreated({ items }))
      await pipeline.producer.send([
        ...damaged.map(([code, value, headers], index) => ({ ...valid, key: `${code} ${index}`, value, headers })),
        ...others.map(order => toRecord(topics.ordersCreated, order, traceparent))
      ])
      await untilReported(
        pipeline,
        others.map(({ orderID }) => orderID)
      )
      await until(async () => (await pipeline.deadLetters(topicNames.ordersCreated)).length === damaged.length)
      const deadLettered = await pipeline.deadLetters(topicNames.ordersCreated)
      assert.deepEqual(
        new Map(deadLettered.map(({ key, headers, value }) => [key, [headers['dlq-code'], value]])),
        new Map(damaged.map(([code, value], index) => [`${code} ${index}`, [code, value]]))
      )
      for (const { headers } of deadLettered) assert.ok(headers['dlq-reason'])
    }
  )

  await t.test('a schema id that a lagging registry learns later causes no dead letter', async () => {
    pipeline.view.lag()
    const later = await futureTopic(registry, topics.ordersCreated, newestSchema(orderCreatedSchemas), 'gift')
    const order = orderCreated({ items })
    await pipeline.producer.send([toRecord(later, { ...order, gift: null }, traceparent)])
    await untilReported(pipeline, [order.orderID])
    assert.equal(pipeline.view.lagged(), 1)
  })
})

test('services start with a registered version in another namespace and read its records', async t => {
  const pipeline = await startServicePipeline(t)
  const registry = createSchemaRegistry({ url: pipeline.view.url })
  const { ordersCreated } = await connectTopics(registry, { ordersCreated: 'write' })
  const foreign = { ...newestSchema(orderCreatedSchemas), namespace: 'org.example.shop' }
  const elsewhere = await futureTopic(registry, ordersCreated, foreign)
  await pipeline.start('order', 'one')
  await pipeline.start('inventory', 'one')
  await pipeline.start('notification', 'one')
  const orders = ['with', 'without'].map(() => orderCreated({ items: [{ sku: pipeline.sku, quantity: 1 }] }))
  const [named, nameless] = orders.map(order => toRecord(elsewhere, { ...order, note: 'ring twice' }, traceparent))
  assert.ok(named && nameless)
  const { [fingerprintHeader]: _, ...headers } = nameless.headers as Record<string, string>
  await pipeline.producer.send([named, { ...nameless, headers }])
  await untilReported(
    pipeline,
    orders.map(({ orderID }) => orderID)
  )
  await assertNoDeadLetters(pipeline)
})

test('a service with an incompatible schema reports the subject and exits with 76', async t => {
  const pipeline = await startServicePipeline(t)
  const foreign = { ...orderCreatedSchemas.versions[1], fields: [{ name: 'number', type: 'long' }] }
  await createSchemaRegistry({ url: pipeline.view.url }).register(`${topicNames.ordersCreated}-value`, foreign)
  for (const [name, sentence] of [
    ['order', /rejected OrderCreated under orders\.created-value: it is not compatible/],
    ['inventory', /this code cannot read version 1 of orders\.created-value/]
  ] as const) {
    const { code, output } = await startInVain(t, name, pipeline.environment)
    assert.equal(code, 76, output)
    assert.match(output, sentence)
  }
})

/** Returns the topic with a codec of future code that has one more field. */
async function futureTopic(
  registry: ReturnType<typeof createSchemaRegistry>,
  topic: { readonly name: string; readonly eventType: string },
  newest: RecordSchema,
  added = 'note'
) {
  const schema: RecordSchema = { ...newest, fields: [...newest.fields, { ...note, name: added }] }
  const writer = { schema, schemaID: await registry.register(`${topic.name}-value`, schema) }
  const codec = createAvroCodec<FutureEvent>({ registry, readerSchema: schema, writer })
  return { name: topic.name, eventType: topic.eventType, codec }
}

function startInVain(t: TestContext, name: string, env: Readonly<Record<string, string>>) {
  const main = join(import.meta.dirname, '..', 'services', name, 'main.ts')
  return new Promise<{ code: unknown; output: string }>(resolve => {
    const options = { env: { ...process.env, ...env, HTTP_PORT: '0' }, timeout: 60_000, signal: t.signal }
    execFile(process.execPath, [main], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr })
    )
  })
}
