import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Codec } from '@orderly/kafka'
import fc from 'fast-check'
import { ContractError } from '../errors.ts'
import { type InventoryConfirmedVersions, inventoryConfirmedSchemas } from '../generated/inventory-confirmed.ts'
import { type InventoryFailedVersions, inventoryFailedSchemas } from '../generated/inventory-failed.ts'
import { type InventoryReleasedVersions, inventoryReleasedSchemas } from '../generated/inventory-released.ts'
import { type InventoryReservedVersions, inventoryReservedSchemas } from '../generated/inventory-reserved.ts'
import { type OrderChangeRequestedVersions, orderChangeRequestedSchemas } from '../generated/order-change-requested.ts'
import { type OrderCreated, orderCreatedSchemas } from '../generated/order-created.ts'
import { defaultsOf, newestSchema, type RecordSchema } from '../schema.ts'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderChangeRequested,
  anyOrderCreated,
  createInMemoryRegistry,
  orderCreated
} from '../testing/index.ts'
import { createAvroCodec } from './codec.ts'

const registry = createInMemoryRegistry()
const today = newestSchema(orderCreatedSchemas)

/**
 * A possible future version: a field with a default, a nullable one, a map, a list of records, and
 * another order of fields.
 */
const later: RecordSchema = {
  ...today,
  fields: [
    { name: 'channel', type: { type: 'enum', name: 'Channel', symbols: ['WEB', 'STORE'] }, default: 'WEB' },
    ...today.fields.toReversed(),
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'labels', type: { type: 'map', values: 'string' }, default: {} },
    {
      name: 'gifts',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Gift',
          fields: [
            { name: 'sku', type: 'string' },
            { name: 'weight', type: 'double' }
          ]
        }
      },
      default: []
    }
  ]
}

interface LaterOrderCreated extends OrderCreated {
  readonly channel: 'WEB' | 'STORE'
  readonly note: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly gifts: readonly { readonly sku: string; readonly weight: number }[]
}

const defaults = { channel: 'WEB' as const, note: null, labels: {}, gifts: [] }

async function codecOf<Event>(readerSchema: RecordSchema, writerSchema: RecordSchema): Promise<Codec<Event>> {
  const schemaID = await registry.register(`test.${randomUUID()}-value`, writerSchema)
  return createAvroCodec<Event>({ registry, readerSchema, writer: { schema: writerSchema, schemaID } })
}

const todaysCode = await codecOf<OrderCreated>(today, today)
const laterCode = await codecOf<LaterOrderCreated>(later, later)
const laterCodeOnOldVersion = await codecOf<LaterOrderCreated>(later, today)

const anyLaterOrder: fc.Arbitrary<LaterOrderCreated> = fc
  .tuple(
    anyOrderCreated(),
    fc.record(
      {
        channel: fc.constantFrom('WEB' as const, 'STORE' as const),
        note: fc.option(fc.string()),
        labels: fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.string(), { noNullPrototype: true }),
        gifts: fc.array(fc.record({ sku: fc.string(), weight: fc.double({ noNaN: true }) }, { noNullPrototype: true }))
      },
      { noNullPrototype: true }
    )
  )
  .map(([order, added]) => ({ ...order, ...added }))

test('newer code reads records of older code with the defaults of the added fields', async () => {
  await fc.assert(
    fc.asyncProperty(anyOrderCreated(), async order => {
      const value = todaysCode.encode(order)
      await laterCode.prepare([value])
      assert.deepEqual(laterCode.decode(value), { ...order, ...defaults })
    })
  )
})

test('older code reads records of newer code without the fields that it does not know', async () => {
  await fc.assert(
    fc.asyncProperty(anyLaterOrder, async order => {
      const value = laterCode.encode(order)
      await todaysCode.prepare([value])
      const { channel, note, labels, gifts, ...known } = order
      assert.deepEqual(todaysCode.decode(value), known)
    })
  )
})

/**
 * Checks that older code reads records of the newest version, and the newest code reads older
 * records with defaults.
 */
async function checkVersions<Older, Newest>(
  [older, newest]: readonly [RecordSchema, RecordSchema],
  events: fc.Arbitrary<Newest>,
  { without, withDefaults }: { without: (event: Newest) => Older; withDefaults: (event: Newest) => Newest }
): Promise<void> {
  const [before, now] = [await codecOf<Older>(older, older), await codecOf<Newest>(newest, newest)]
  await fc.assert(
    fc.asyncProperty(events, async event => {
      const values = [now.encode(event), before.encode(without(event))] as const
      await Promise.all([before.prepare([values[0]]), now.prepare([values[1]])])
      assert.deepEqual(before.decode(values[0]), without(event))
      assert.deepEqual(now.decode(values[1]), withDefaults(event))
    })
  )
}

test('a record of the oldest version is read with the defaults that `defaultsOf` returns', async () => {
  const oldest = orderCreatedSchemas.versions[1]
  const oldCode = await codecOf<OrderCreated>(oldest, oldest)
  const order = orderCreated()
  const value = oldCode.encode(order)
  await todaysCode.prepare([value])
  assert.deepEqual(todaysCode.decode(value), { ...order, ...defaultsOf(orderCreatedSchemas) })
})

test('older code reads InventoryReserved with a hold, and older records are read without a hold', async () => {
  const { 1: v1, 2: v2, 3: v3 } = inventoryReservedSchemas.versions
  await checkVersions<InventoryReservedVersions[1], InventoryReservedVersions[3]>([v1, v3], anyInventoryReserved(), {
    without: ({ holdUntilMs: _, sequence: __, ...known }) => known,
    withDefaults: event => ({ ...event, holdUntilMs: null, sequence: 0 })
  })
  await checkVersions<InventoryReservedVersions[2], InventoryReservedVersions[3]>([v2, v3], anyInventoryReserved(), {
    without: ({ sequence: _, ...known }) => known,
    withDefaults: event => ({ ...event, sequence: 0 })
  })
})

test('every shortage of InventoryFailed V1 is read as OUT_OF_STOCK', async () => {
  const { 1: v1, 2: v2 } = inventoryFailedSchemas.versions
  await checkVersions<InventoryFailedVersions[1], InventoryFailedVersions[2]>([v1, v2], anyInventoryFailed(), {
    without: ({ sequence: _, shortages, ...known }) => ({
      ...known,
      shortages: shortages.map(({ reason: _, ...short }) => short)
    }),
    withDefaults: ({ shortages, ...known }) => ({
      ...{ ...known, sequence: 0 },
      shortages: shortages.map(short => ({ ...short, reason: 'OUT_OF_STOCK' }))
    })
  })
})

test('V1 records of change requests and their results are read with an empty request id', async () => {
  const { 1: changed, 2: changedNow } = orderChangeRequestedSchemas.versions
  type Changes = OrderChangeRequestedVersions
  await checkVersions<Changes[1], Changes[2]>([changed, changedNow], anyOrderChangeRequested(), {
    without: ({ requestID: _, ...known }) => known,
    withDefaults: event => ({ ...event, requestID: '' })
  })
  const { 1: confirmed, 2: confirmedNow } = inventoryConfirmedSchemas.versions
  type Confirmations = InventoryConfirmedVersions
  await checkVersions<Confirmations[1], Confirmations[2]>([confirmed, confirmedNow], anyInventoryConfirmed(), {
    without: ({ requestID: _, sequence: __, ...known }) => known,
    withDefaults: event => ({ ...event, requestID: '', sequence: 0 })
  })
  const { 1: released, 2: releasedNow } = inventoryReleasedSchemas.versions
  type Releases = InventoryReleasedVersions
  await checkVersions<Releases[1], Releases[2]>([released, releasedNow], anyInventoryReleased(), {
    without: ({ requestID: _, sequence: __, ...known }) => known,
    withDefaults: event => ({ ...event, requestID: '', sequence: 0 })
  })
})

test('newer code that writes an older version writes the same bytes as older code', () => {
  const order = orderCreated()
  assert.deepEqual(
    laterCodeOnOldVersion.encode({ ...order, ...defaults, note: 'ring twice' }),
    todaysCode.encode(order)
  )
})

test('mixed records of two versions are read', async () => {
  const order = orderCreated()
  const values = [todaysCode.encode(order), laterCode.encode({ ...order, ...defaults, note: 'ring twice' })]
  await laterCode.prepare(values)
  assert.deepEqual(
    values.map(value => laterCode.decode(value).note),
    [null, 'ring twice']
  )
})

test('damaged records of another version are decoded or refused with a ContractError', async () => {
  const valid = laterCode.encode({
    ...orderCreated(),
    ...defaults,
    labels: { a: 'b' },
    gifts: [{ sku: 'c', weight: 1 }]
  })
  await todaysCode.prepare([valid])
  for (let position = 5; position < valid.length; position++) {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const value = Buffer.from(valid)
      value[position] = byte
      try {
        todaysCode.decode(value)
      } catch (error) {
        assert.ok(error instanceof ContractError, String(error))
      }
    }
  }
})

test('records without a field that the reader requires are refused as unreadable', async () => {
  const incompatible: RecordSchema = { ...today, fields: today.fields.slice(1) }
  const value = (await codecOf<Omit<OrderCreated, 'orderID'>>(incompatible, incompatible)).encode(orderCreated())
  await todaysCode.prepare([value])
  assert.throws(
    () => todaysCode.decode(value),
    (error: unknown) =>
      error instanceof ContractError && error.code === 'SCHEMA_UNREADABLE' && /orderID/.test(error.message)
  )
})
