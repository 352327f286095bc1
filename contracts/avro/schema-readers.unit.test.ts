import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type RecordHeaders, recordHeaders } from '@orderly/kafka'
import fc from 'fast-check'
import { ContractError } from '../errors.ts'
import { inventoryFailedSchemas } from '../generated/inventory-failed.ts'
import { type OrderCreated, orderCreatedSchemas } from '../generated/order-created.ts'
import type { SchemaRegistry, WriterSchema } from '../registry/registry.ts'
import { newestSchema, type RecordSchema } from '../schema.ts'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderChangeRequested,
  anyOrderCreated,
  anyOrderRate,
  anyStockMoved,
  createInMemoryRegistry,
  inventoryFailed,
  orderCreated
} from '../testing/index.ts'
import { connectTopics, type Topics, topicNames } from '../topics.ts'
import { createAvroCodec } from './codec.ts'

const anyEvent = {
  ordersCreated: anyOrderCreated(),
  ordersChanges: anyOrderChangeRequested(),
  inventoryReserved: anyInventoryReserved(),
  inventoryFailed: anyInventoryFailed(),
  inventoryConfirmed: anyInventoryConfirmed(),
  inventoryReleased: anyInventoryReleased(),
  stockMovements: anyStockMoved(),
  orderRate: anyOrderRate()
} as unknown as Record<keyof Topics, fc.Arbitrary<never>>
const names = Object.keys(anyEvent) as (keyof Topics)[]

const anyNamedEvent = fc
  .constantFrom(...names)
  .chain(name => fc.tuple(fc.constant(name), anyEvent[name] as fc.Arbitrary<never>))

const { 1: v1, 2: v2 } = orderCreatedSchemas.versions
const released = Object.values(orderCreatedSchemas.versions)
const newest = newestSchema(orderCreatedSchemas)
const future: RecordSchema = {
  ...newest,
  fields: [...newest.fields, { name: 'note', type: ['null', 'string'], default: null }]
}
const subject = 'orders.created-value'

/** Creates a registry whose schemas a test can change. */
function scriptedRegistry(schemas: Record<number, RecordSchema | WriterSchema> = {}) {
  const state = { schemas, isAway: false, asked: [] as (number | string)[] }
  const asText = (schema: RecordSchema | WriterSchema): WriterSchema =>
    'text' in schema ? schema : { format: 'AVRO', text: JSON.stringify(schema) }
  const answer = <Answer>(about: number | string, make: () => Answer): Promise<Answer> => {
    state.asked.push(about)
    if (state.isAway) return Promise.reject(new ContractError('REGISTRY_UNAVAILABLE', 'away'))
    return Promise.resolve(make())
  }
  const registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'> = {
    schemaByID: schemaID =>
      answer(schemaID, () => {
        const schema = state.schemas[schemaID]
        return schema && asText(schema)
      }),
    versions: name =>
      answer(name, () => Object.values(state.schemas).map((schema, index) => ({ version: index, ...asText(schema) })))
  }
  return { registry, state }
}

/** Creates a reader that knows all released versions. */
function reader(registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'>, recheckMs = 0) {
  const codec = createAvroCodec<OrderCreated>({
    ...{ registry, readerSchema: newest, released, subject, recheckMs }
  })
  return async (value: Buffer, headers?: RecordHeaders): Promise<OrderCreated> => {
    await codec.prepare([value], [headers])
    assert.equal(codec.isPrepared(value, 0, value.length, headers), headers !== undefined || recheckMs > 0)
    return codec.decode(value, 0, value.length, headers)
  }
}

function writer(schema: RecordSchema, schemaID: number) {
  const codec = createAvroCodec<OrderCreated & { note?: string }>({
    ...{ registry: scriptedRegistry().registry, readerSchema: schema, writer: { schema, schemaID } }
  })
  return { write: codec.encode, headers: recordHeaders(codec.headers ?? {}) }
}

const refusal =
  (code: string, words: RegExp, retryable = false) =>
  (error: unknown) =>
    error instanceof ContractError && error.code === code && error.retryable === retryable && words.test(error.message)

describe('a record with a schema fingerprint', () => {
  test('is read without the registry, for any released version and any id', async () => {
    const { registry, state } = scriptedRegistry()
    state.isAway = true
    const read = reader(registry)
    const order = orderCreated({ currency: 'EUR' })
    for (const [index, schema] of [...released, v1].entries()) {
      const { write, headers } = writer(schema, 4_711 + index)
      assert.deepEqual(await read(write(order), headers), order)
    }
    assert.deepEqual(state.asked, [])
  })

  test('is read with its schema even if its id leads to another one (property)', async () => {
    const topics = await connectTopics(createInMemoryRegistry())
    const misleading: SchemaRegistry = {
      ...createInMemoryRegistry(),
      schemaByID: async schemaID => {
        const all = [...Object.values(orderCreatedSchemas.versions), inventoryFailedSchemas.versions[1]]
        return { format: 'AVRO', text: JSON.stringify(all[schemaID % all.length]) }
      }
    }
    const readers = await connectTopics(misleading, Object.fromEntries(names.map(name => [name, 'read'])))
    await fc.assert(
      fc.asyncProperty(anyNamedEvent, fc.nat(1_000), async ([name, event], id) => {
        const codec = topics[name].codec
        const value = codec.encode(event)
        value.writeInt32BE(id, 1)
        const own = (readers as Topics)[name].codec
        const headers = recordHeaders(codec.headers ?? {})
        await own.prepare([value], [headers])
        assert.deepEqual(own.decode(value, 0, value.length, headers), event)
      })
    )
  })

  test('is read with a later version from the registry even if its id leads to another schema', async () => {
    const { write, headers } = writer(future, 1)
    const { registry, state } = scriptedRegistry({ 1: inventoryFailedSchemas.versions[1], 2: future })
    const order = orderCreated()
    assert.deepEqual(await reader(registry)(write({ ...order, note: 'ring twice' }), headers), order)
    assert.deepEqual(state.asked, [1, subject])
  })

  test('is refused if the registry does not have its schema, which is not looked up again immediately', async () => {
    const { write, headers } = writer(future, 1)
    const { registry, state } = scriptedRegistry({ 1: newest })
    const read = reader(registry)
    const value = write({ ...orderCreated(), note: 'ring twice' })
    for (let count = 0; count < 3; count++) {
      await assert.rejects(
        read(value, headers),
        refusal('SCHEMA_UNKNOWN', /fingerprint [0-9a-f]{16} \(but another one under its id 1\)/)
      )
    }
    assert.deepEqual(state.asked, [1, subject])
  })

  test('causes a retryable error if its schema is not released and the registry is unavailable', async () => {
    const { write, headers } = writer(future, 1)
    const { registry, state } = scriptedRegistry({ 1: future })
    const read = reader(registry)
    const order = orderCreated()
    const value = write({ ...order, note: 'ring twice' })
    state.isAway = true
    await assert.rejects(read(value, headers), refusal('REGISTRY_UNAVAILABLE', /away/, true))
    state.isAway = false
    assert.deepEqual(await read(value, headers), order)
  })

  test('is refused as unreadable if its schema is of another event', async () => {
    const { registry } = scriptedRegistry({ 1: inventoryFailedSchemas.versions[1] })
    const { codec } = (await connectTopics(createInMemoryRegistry(), { inventoryFailed: 1 })).inventoryFailed
    const value = codec.encode(inventoryFailed())
    await assert.rejects(
      reader(registry)(value, recordHeaders(codec.headers ?? {})),
      refusal('SCHEMA_UNREADABLE', /InventoryFailed/)
    )
  })

  test('costs bounded memory and one list of versions for 10,000 unknown fingerprints', async () => {
    const { registry, state } = scriptedRegistry()
    const codec = createAvroCodec({ registry, readerSchema: newest, subject })
    const value = writer(newest, 1).write(orderCreated())
    const values = Array.from({ length: 10_000 }, () => value)
    await codec.prepare(
      values,
      values.map((_, index) => recordHeaders({ 'schema-fingerprint': String(index) }))
    )
    assert.equal(state.asked.filter(about => about === subject).length, 1)
  })
})

describe('a record without a schema fingerprint', () => {
  test('is read with the schema under its id, which is looked up repeatedly', async () => {
    const { registry, state } = scriptedRegistry({ 7: v2 })
    const read = reader(registry)
    const order = orderCreated()
    const value = writer(v2, 7).write(order)
    assert.deepEqual(await read(value), order)
    assert.deepEqual(await read(value), order)
    assert.deepEqual(state.asked, [7, 7])
  })

  test('is refused if its id leads to another schema than before', async () => {
    for (const other of [v2, inventoryFailedSchemas.versions[1], { format: 'JSON', text: '{}' }]) {
      const { registry, state } = scriptedRegistry({ 7: v1 })
      const read = reader(registry)
      const value = writer(v1, 7).write(orderCreated())
      await read(value)
      state.schemas = { 7: other }
      await assert.rejects(read(value), refusal('SCHEMA_ID_REUSED', /schema id 7 .*emptied.*Restore/))
      state.schemas = { 9: other, 7: v1 }
      await read(value)
    }
  })

  test('is read with the known schema while the registry is unavailable or empty', async () => {
    const { registry, state } = scriptedRegistry({ 7: v1 })
    const read = reader(registry)
    const order = orderCreated()
    const value = writer(v1, 7).write(order)
    await read(value)
    state.isAway = true
    assert.deepEqual(await read(value), order)
    Object.assign(state, { isAway: false, schemas: {} })
    assert.deepEqual(await read(value), order)
  })

  test('causes one lookup within `recheckMs`', async () => {
    const { registry, state } = scriptedRegistry({ 7: v1 })
    const read = reader(registry, 60_000)
    const value = writer(v1, 7).write(orderCreated())
    for (let count = 0; count < 3; count++) await read(value)
    assert.deepEqual(state.asked, [7])
  })
})

/** Returns the schema with the next namespace for each of its named types. */
function inNamespaces(schema: unknown, namespaces: Iterator<string>): unknown {
  if (Array.isArray(schema)) return schema.map(part => inNamespaces(part, namespaces))
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.entries(schema).map(([name, part]) => [name, inNamespaces(part, namespaces)])
  const isNamed = ['record', 'enum', 'fixed'].includes((schema as { type: string }).type)
  return { ...Object.fromEntries(parts), ...(isNamed && { namespace: namespaces.next().value }) }
}

test('records are read for any namespaces in their writer’s schema (property over all events)', async () => {
  const registry = createInMemoryRegistry()
  await connectTopics(registry)
  const newestOf = async (name: keyof Topics) =>
    JSON.parse((await registry.versions(`${topicNames[name]}-value`)).at(-1)?.text ?? '') as RecordSchema
  const newest = new Map(await Promise.all(names.map(async name => [name, await newestOf(name)] as const)))
  const namespace = fc.stringMatching(/^[a-z][a-z0-9]{0,5}(\.[a-z][a-z0-9]{0,5}){0,2}$/)
  await fc.assert(
    fc.asyncProperty(
      anyNamedEvent,
      fc.infiniteStream(namespace),
      fc.boolean(),
      async ([name, event], namespaces, namesItsSchema) => {
        const readerSchema = newest.get(name) as RecordSchema
        const schema = inNamespaces(readerSchema, namespaces) as RecordSchema
        const { registry } = scriptedRegistry({ 1: schema })
        const foreign = createAvroCodec({ registry, readerSchema: schema, writer: { schema, schemaID: 1 } })
        const value = foreign.encode(event)
        const headers = namesItsSchema ? recordHeaders(foreign.headers ?? {}) : undefined
        const own = createAvroCodec({ registry, readerSchema })
        await own.prepare([value], [headers])
        assert.deepEqual(own.decode(value, 0, value.length, headers), event)
      }
    )
  )
})
