import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createAvroCodec } from './avro/codec.ts'
import { SchemaRejectedError } from './errors.ts'
import { type OrderCreated, type OrderCreatedVersions, orderCreatedSchemas } from './generated/order-created.ts'
import { createSchemaRegistry } from './registry/confluent.ts'
import { newestSchema, type RecordSchema } from './schema.ts'
import { fieldsIn, orderCreated } from './testing/fixtures.ts'
import { createRegistryView } from './testing/registry-view.ts'
import { connectTopics } from './topics.ts'

/** The real registry. Each test has separate subjects in it. */
const { registryURL } = integrationEnvironment()
const subject = 'orders.created-value'
const { 1: v1, 2: v2 } = orderCreatedSchemas.versions
const newest = newestSchema(orderCreatedSchemas)
const versions = Object.keys(orderCreatedSchemas.versions).map(Number)

/** A possible future version. */
const future: RecordSchema = {
  ...newest,
  fields: [...newest.fields, { name: 'note', type: ['null', 'string'], default: null }]
}

const dollars = { currency: 'USD', totalMinor: 1_299 }

test('consumers first: current code reads a V1 topic, and then mixed records of all versions', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const old = await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 1 })
  const { codec } = (await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 'read' })).ordersCreated
  const inEuros = orderCreated()
  const first = old.ordersCreated.codec.encode(inEuros)
  await codec.prepare([first])
  assert.deepEqual(codec.decode(first), inEuros)

  const current = await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 2 })
  const inDollars = orderCreated(dollars)
  const latest = await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 'write' })
  const held = orderCreated({ holdSeconds: 900 })
  const mixed = [
    old.ordersCreated.codec.encode(inEuros),
    current.ordersCreated.codec.encode(inDollars),
    latest.ordersCreated.codec.encode(held),
    old.ordersCreated.codec.encode(inEuros)
  ]
  await codec.prepare(mixed)
  assert.deepEqual(
    mixed.map(value => codec.decode(value)),
    [inEuros, inDollars, held, inEuros]
  )
})

test('producers first: code that knows only V1 reads records of later versions without the unknown fields', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const registry = createSchemaRegistry({ url })
  const oldCode = createAvroCodec<OrderCreatedVersions[1]>({
    registry: createSchemaRegistry({ url }),
    readerSchema: v1
  })
  for (const schema of [v2, newest, future]) {
    const writer = { schema, schemaID: await registry.register(subject, schema) }
    const newCode = createAvroCodec<OrderCreated & { note: string | null }>({ registry, readerSchema: schema, writer })
    const order = orderCreated(dollars)
    const value = newCode.encode({ ...order, note: 'ring twice' })
    await oldCode.prepare([value])
    assert.deepEqual(oldCode.decode(value), fieldsIn(v1, order))
  }
})

test('after a rollback to V1, records have the original id of V1, and all records stay readable', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const order = orderCreated()
  const values: Buffer[] = []
  for (const version of [1, 2, 1]) {
    const { ordersCreated } = await connectTopics(createSchemaRegistry({ url }), { ordersCreated: version })
    values.push(ordersCreated.codec.encode(order))
  }
  assert.deepEqual(values[2], values[0])
  assert.notDeepEqual(values[1], values[0])
  const { codec } = (await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 'read' })).ordersCreated
  await codec.prepare(values)
  for (const value of values) assert.deepEqual(codec.decode(value), order)
})

test('current code starts with a future version in the registry, reads it, and writes the versions it knows', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const registry = createSchemaRegistry({ url })
  await connectTopics(registry, { ordersCreated: 2 })
  const writer = { schema: future, schemaID: await registry.register(subject, future) }
  const codec = createAvroCodec<OrderCreated & { note: string }>({ registry, readerSchema: future, writer })
  const order = orderCreated(dollars)
  const value = codec.encode({ ...order, note: 'ring twice' })
  for (const use of ['read', ...versions] as const) {
    const { codec } = (await connectTopics(createSchemaRegistry({ url }), { ordersCreated: use })).ordersCreated
    await codec.prepare([value])
    assert.deepEqual(codec.decode(value), order)
  }
})

test('the registry refuses a schema that is not compatible with every version, from any client', async t => {
  const { url } = await createRegistryView(t, registryURL)
  await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 1 })
  await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 2 })
  const register = (fields: readonly object[]) =>
    fetch(`${url}/subjects/${subject}/versions`, {
      method: 'POST',
      body: JSON.stringify({ schema: JSON.stringify({ ...v1, fields }) })
    })
  assert.equal((await register([...v1.fields, { name: 'note', type: 'string' }])).status, 409)
  assert.equal((await register(v1.fields.slice(1))).status, 409)
  // Compatible with V2, but its reader requires the field currency, which V1 does not have.
  const withoutDefault = v2.fields.map(field =>
    field.name === 'currency' ? { name: 'currency', type: 'string' } : field
  )
  assert.equal((await register(withoutDefault)).status, 409)
  assert.equal((await register(future.fields)).status, 200)
})

test('a weakened compatibility mode is restored by the next writer and not by readers', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const mode = async () =>
    ((await (await fetch(`${url}/config/${subject}`)).json()) as Record<string, unknown>).compatibilityLevel
  await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 1 })
  assert.equal(await mode(), 'FULL_TRANSITIVE')
  await fetch(`${url}/config/${subject}`, { method: 'PUT', body: '{"compatibility":"NONE"}' })
  await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 'read' })
  assert.equal(await mode(), 'NONE')
  await connectTopics(createSchemaRegistry({ url }), { ordersCreated: 1 })
  assert.equal(await mode(), 'FULL_TRANSITIVE')
})

test('a writer and a reader with an incompatible schema are refused with the subject', async t => {
  const { url } = await createRegistryView(t, registryURL)
  const foreign = { ...v1, fields: [{ name: 'number', type: 'long' }] }
  await createSchemaRegistry({ url }).register(subject, foreign)
  for (const use of ['read', 1, 2] as const) {
    await assert.rejects(
      connectTopics(createSchemaRegistry({ url }), { ordersCreated: use }),
      error => error instanceof SchemaRejectedError && error.exitCode === 76 && error.message.includes(subject)
    )
  }
})

test('an id that a lagging registry does not know yet is looked up again, and the record is read', async t => {
  const view = await createRegistryView(t, registryURL)
  const { ordersCreated } = await connectTopics(createSchemaRegistry({ url: view.url }), { ordersCreated: 2 })
  view.lag()
  const follower = createSchemaRegistry({ url: view.url, confirmUnknownMs: 10 })
  const { codec } = (await connectTopics(follower, { ordersCreated: 'read' })).ordersCreated
  const order = orderCreated()
  const value = ordersCreated.codec.encode(order)
  await codec.prepare([value])
  assert.deepEqual(codec.decode(value), order)
  assert.equal(view.lagged(), 1)
})
