import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ContractError } from '../errors.ts'
import type { OrderCreated } from '../generated/order-created.ts'
import { orderCreatedSchemas } from '../generated/order-created.ts'
import type { SchemaRegistry } from '../registry/registry.ts'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderChangeRequested,
  anyOrderCreated,
  createInMemoryRegistry,
  inventoryFailed,
  orderCreated
} from '../testing/index.ts'
import { connectTopics } from '../topics.ts'
import { createAvroCodec, HEADER_BYTES, writeHeader } from './codec.ts'

const topics = await connectTopics(createInMemoryRegistry())
const { codec } = topics.ordersCreated

function refusal(code: string) {
  return (error: unknown) => error instanceof ContractError && error.code === code && !error.retryable
}

test('every event is decoded to an equal plain object', async () => {
  for (const [topic, events] of [
    [topics.ordersCreated, anyOrderCreated()],
    [topics.ordersChanges, anyOrderChangeRequested()],
    [topics.inventoryReserved, anyInventoryReserved()],
    [topics.inventoryFailed, anyInventoryFailed()],
    [topics.inventoryConfirmed, anyInventoryConfirmed()],
    [topics.inventoryReleased, anyInventoryReleased()]
  ] as const) {
    await fc.assert(
      fc.asyncProperty(events as fc.Arbitrary<never>, async event => {
        const value = topic.codec.encode(event)
        await topic.codec.prepare([value])
        assert.deepEqual(topic.codec.decode(value), event)
      })
    )
  }
})

test('an event larger than the shared buffer is decoded to an equal object', async () => {
  const event = orderCreated({
    items: Array.from({ length: 5_000 }, (_, line) => ({ sku: `SKU-${line}`, quantity: line }))
  })
  const value = codec.encode(event)
  await codec.prepare([value])
  assert.deepEqual(codec.decode(value), event)
})

test('values are in Confluent wire format: zero, the schema id in four bytes, the Avro body', async () => {
  const written = createAvroCodec<OrderCreated>({
    registry: createInMemoryRegistry(),
    readerSchema: orderCreatedSchemas.versions[1],
    writer: { schema: orderCreatedSchemas.versions[1], schemaID: 0x01020304 }
  }).encode({
    ...orderCreated(),
    orderID: 'o',
    userID: 'u',
    items: [{ sku: 's', quantity: 2 }],
    totalMinor: 64,
    createdAtMs: 0
  })
  assert.equal(written.toString('hex'), ['0001020304', '026f', '0275', '02', '0273', '04', '00', '8001', '00'].join(''))
})

test('an event that violates the schema is refused with its field names but without values', () => {
  const event = orderCreated({ userID: 'secret', totalMinor: 12.5, items: [{ sku: 'secret', quantity: 2 ** 31 }] })
  assert.throws(
    () => codec.encode(event),
    (error: unknown) =>
      refusal('EVENT_INVALID')(error) &&
      /items\.0\.quantity is not of type int, totalMinor is not of type long/.test((error as Error).message) &&
      !(error as Error).message.includes('secret')
  )
})

test('for any bytes, decode returns or throws a ContractError immediately', async () => {
  const valid = codec.encode(orderCreated())
  await codec.prepare([valid])
  const withHeader = fc.uint8Array({ maxLength: 200 }).map(body => {
    const value = Buffer.concat([Buffer.alloc(HEADER_BYTES), body])
    writeHeader(value, valid.readInt32BE(1))
    return value
  })
  const damaged = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([position, byte]) => {
    const value = Buffer.from(valid)
    value[position] = byte
    return value
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array().map(Buffer.from), withHeader, damaged), value => {
      try {
        codec.decode(value)
      } catch (error) {
        assert.ok(error instanceof ContractError, String(error))
      }
    }),
    { numRuns: 2_000 }
  )
})

test('a record that announces more items than it has bytes is refused immediately', async () => {
  const empty = codec.encode(orderCreated({ orderID: '', userID: '', items: [] }))
  await codec.prepare([empty])
  const items = HEADER_BYTES + 2
  for (const count of [zigzag(2n ** 31n), zigzag(2n ** 60n), Buffer.concat([zigzag(-(2n ** 31n)), zigzag(1n)])]) {
    assert.throws(() => codec.decode(Buffer.concat([empty.subarray(0, items), count])), refusal('RECORD_TRUNCATED'))
  }
})

test('every truncation of a record is refused as truncated, and an extra byte as trailing', async () => {
  const valid = codec.encode(orderCreated())
  await codec.prepare([valid])
  for (let length = HEADER_BYTES; length < valid.length; length++) {
    assert.throws(() => codec.decode(valid.subarray(0, length)), refusal('RECORD_TRUNCATED'))
  }
  assert.throws(() => codec.decode(Buffer.concat([valid, Buffer.from([0])])), refusal('RECORD_TRAILING_BYTES'))
})

test('decode reads only the given range, even if the surrounding bytes would complete a truncated value', async () => {
  const event = orderCreated()
  const valid = codec.encode(event)
  await codec.prepare([valid])
  const before = Buffer.from([0, 1, 2])
  const bytes = Buffer.concat([before, valid, valid])
  const [start, end] = [before.length, before.length + valid.length]
  assert.deepEqual(codec.decode(bytes, start, end), event)
  assert.deepEqual(codec.decode(bytes, end), event)
  for (let length = 0; length < valid.length; length++) {
    const expected = length < HEADER_BYTES ? 'WIRE_FORMAT_INVALID' : 'RECORD_TRUNCATED'
    assert.throws(() => codec.decode(bytes, start, start + length), refusal(expected))
  }
  assert.throws(() => codec.decode(bytes, start, end + 1), refusal('RECORD_TRAILING_BYTES'))
})

test('isPrepared is false only for values in wire format whose schema is not loaded', async () => {
  const readerSchema = orderCreatedSchemas.versions[1]
  const fresh = createAvroCodec({ registry: createInMemoryRegistry(), readerSchema })
  const bytes = Buffer.concat([Buffer.from([7]), codec.encode(orderCreated())])
  assert.equal(fresh.isPrepared(bytes, 1), false)
  assert.equal(fresh.isPrepared(bytes), true) // not in wire format, so there is nothing to load
  assert.equal(fresh.isPrepared(bytes, 1, HEADER_BYTES), true)
  const value = codec.encode(orderCreated())
  await codec.prepare([value])
  assert.equal(codec.isPrepared(value), true)
})

test('values that are not in wire format are refused and do not affect others', async () => {
  const event = orderCreated()
  const valid = codec.encode(event)
  const foreign = [Buffer.alloc(0), Buffer.from([0, 0]), Buffer.from('{"orderID":"1"}')]
  await codec.prepare([...foreign, valid])
  for (const value of foreign) assert.throws(() => codec.decode(value), refusal('WIRE_FORMAT_INVALID'))
  assert.deepEqual(codec.decode(valid), event)
})

test('an unknown schema id is refused by decode and not by prepare', async () => {
  const value = Buffer.from(codec.encode(orderCreated()))
  writeHeader(value, 4_711)
  await codec.prepare([value])
  assert.throws(() => codec.decode(value), refusal('SCHEMA_UNKNOWN'))
})

test('a record of another event is refused as unreadable', async () => {
  const value = topics.inventoryFailed.codec.encode(inventoryFailed())
  await codec.prepare([value])
  assert.throws(() => codec.decode(value), refusal('SCHEMA_UNREADABLE'))
})

test('if the registry is unavailable or refuses, prepare fails with a retryable error', async () => {
  const registry = createInMemoryRegistry()
  const failures = [
    new ContractError('REGISTRY_UNAVAILABLE', 'away'),
    new ContractError('REGISTRY_REFUSED', 'password changed')
  ]
  const flaky: SchemaRegistry = {
    ...registry,
    async schemaByID(schemaID) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      return await registry.schemaByID(schemaID)
    }
  }
  const { codec } = (await connectTopics(flaky)).ordersCreated
  const event = orderCreated()
  const value = codec.encode(event)
  for (const reason of [/away/, /password changed/]) {
    await assert.rejects(
      codec.prepare([value]),
      (error: unknown) => error instanceof ContractError && error.retryable && reason.test(error.message)
    )
  }
  await codec.prepare([value])
  assert.deepEqual(codec.decode(value), event)
})

test('a schema is looked up once for any number of records', async () => {
  const registry = createInMemoryRegistry()
  let lookups = 0
  const counting: SchemaRegistry = {
    ...registry,
    async schemaByID(schemaID) {
      lookups++
      return await registry.schemaByID(schemaID)
    }
  }
  const { codec } = (await connectTopics(counting)).ordersCreated
  const values = Array.from({ length: 100 }, () => codec.encode(orderCreated()))
  await codec.prepare(values)
  await codec.prepare(values)
  assert.equal(lookups, 1)
})

test('a long that avsc would decode with the wrong sign is refused', async () => {
  const zeroTime = codec.encode(orderCreated({ createdAtMs: 0 }))
  await codec.prepare([zeroTime])
  for (const time of [-(2n ** 52n) - 1n, -(2n ** 53n), -(2n ** 63n)]) {
    const value = Buffer.concat([zeroTime.subarray(0, -1), zigzag(time)])
    assert.throws(() => codec.decode(value), refusal('RECORD_INVALID'))
  }
})

function zigzag(number: bigint): Buffer {
  const bytes: number[] = []
  let rest = number < 0n ? -number * 2n - 1n : number * 2n
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}
