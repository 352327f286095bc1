import type { Topic } from '@orderly/kafka'
import { createAvroCodec } from './avro/codec.ts'
import { checkReadable } from './avro/schema-readers.ts'
import { SchemaRejectedError } from './errors.ts'
import { type InventoryConfirmed, inventoryConfirmedSchemas } from './generated/inventory-confirmed.ts'
import { type InventoryFailed, inventoryFailedSchemas } from './generated/inventory-failed.ts'
import { type InventoryReleased, inventoryReleasedSchemas } from './generated/inventory-released.ts'
import { type InventoryReserved, inventoryReservedSchemas } from './generated/inventory-reserved.ts'
import { type OrderChangeRequested, orderChangeRequestedSchemas } from './generated/order-change-requested.ts'
import { type OrderCreated, orderCreatedSchemas } from './generated/order-created.ts'
import { type OrderRate, orderRateSchemas } from './generated/order-rate.ts'
import { type StockMoved, stockMovedSchemas } from './generated/stock-moved.ts'
import type { SchemaRegistry } from './registry/registry.ts'
import { type EventSchemas, newestSchema, type RecordSchema } from './schema.ts'

export const topicNames = {
  ordersCreated: 'orders.created',
  ordersChanges: 'orders.changes',
  inventoryReserved: 'inventory.reserved',
  inventoryFailed: 'inventory.failed',
  inventoryConfirmed: 'inventory.confirmed',
  inventoryReleased: 'inventory.released',
  stockMovements: 'inventory.stock.movements',
  orderRate: 'metrics.order.rate'
} as const

/** Name prefixes of ephemeral groups, such as those of console consumers. Their lag is ignored. */
export const ephemeralGroupPrefixes: readonly string[] = ['console-consumer-']

export interface Topics {
  readonly ordersCreated: Topic<OrderCreated>
  readonly ordersChanges: Topic<OrderChangeRequested>
  readonly inventoryReserved: Topic<InventoryReserved>
  readonly inventoryFailed: Topic<InventoryFailed>
  readonly inventoryConfirmed: Topic<InventoryConfirmed>
  readonly inventoryReleased: Topic<InventoryReleased>
  readonly stockMovements: Topic<StockMoved>
  readonly orderRate: Topic<OrderRate>
}

const schemasOf = {
  ordersCreated: orderCreatedSchemas,
  ordersChanges: orderChangeRequestedSchemas,
  inventoryReserved: inventoryReservedSchemas,
  inventoryFailed: inventoryFailedSchemas,
  inventoryConfirmed: inventoryConfirmedSchemas,
  inventoryReleased: inventoryReleasedSchemas,
  stockMovements: stockMovedSchemas,
  orderRate: orderRateSchemas
} as const satisfies Record<keyof Topics, EventSchemas>

/**
 * Use of a topic: `read` it, `write` the newest version of its event, or write the version with the
 * given number. Every use can read all compatible versions.
 */
export type TopicUse = 'read' | 'write' | number
export type TopicUses = { readonly [Name in keyof Topics]?: TopicUse }

/** All uses of Kafka by a service, from which its access rules are derived. */
export interface KafkaAccess {
  /**
   * Topics per connection. A service that reads a topic also writes and reads its dead-letter
   * topic.
   */
  readonly topics: readonly TopicUses[]
  readonly groups: readonly string[]
  /** Prefix of the transactional ids; instances append a number. */
  readonly transactionalIDPrefix?: string
  /** Topics without Avro events that the service writes. */
  readonly otherTopics?: readonly string[]
  /** Topics without Avro events that the service reads. */
  readonly otherInputs?: readonly string[]
}

/**
 * Connects topics to the registry and returns them with their codecs; by default all topics, for
 * writing. Registers the schemas that will be written, and checks that this code can read all
 * registered versions of the topics that it only reads.
 * @throws SchemaRejectedError or another ContractError
 */
export async function connectTopics(registry: SchemaRegistry): Promise<Topics>
export async function connectTopics<const Uses extends TopicUses>(
  registry: SchemaRegistry,
  uses: Uses
): Promise<Pick<Topics, keyof Uses & keyof Topics>>
export async function connectTopics(registry: SchemaRegistry, uses: TopicUses = writeAll): Promise<Partial<Topics>> {
  const connecting = (Object.keys(uses) as (keyof Topics)[]).map(async name => [
    name,
    await connectTopic(registry, topicNames[name], schemasOf[name], uses[name] ?? 'read')
  ])
  return Object.fromEntries(await Promise.all(connecting))
}

const writeAll: TopicUses = {
  ordersCreated: 'write',
  ordersChanges: 'write',
  inventoryReserved: 'write',
  inventoryFailed: 'write',
  inventoryConfirmed: 'write',
  inventoryReleased: 'write',
  stockMovements: 'write',
  orderRate: 'write'
}

async function connectTopic(
  registry: SchemaRegistry,
  name: string,
  schemas: EventSchemas,
  use: TopicUse
): Promise<Topic<unknown>> {
  const readerSchema = newestSchema(schemas)
  const subject = `${name}-value`
  const reading = { registry, readerSchema, released: Object.values(schemas.versions), subject }
  if (use === 'read') {
    await checkReader(registry, subject, readerSchema)
    return { name, eventType: schemas.eventType, codec: createAvroCodec(reading) }
  }
  const schema = use === 'write' ? readerSchema : versionOf(schemas, use)
  const writer = { schema, schemaID: await registry.register(subject, schema) }
  return { name, eventType: schemas.eventType, codec: createAvroCodec({ ...reading, writer }) }
}

/**
 * Checks all registered versions at startup, because every record of an unreadable version would
 * become a dead letter.
 */
async function checkReader(registry: SchemaRegistry, subject: string, readerSchema: RecordSchema): Promise<void> {
  for (const writer of await registry.versions(subject)) {
    try {
      checkReadable(readerSchema, writer)
    } catch (cause) {
      throw new SchemaRejectedError(
        subject,
        `this code cannot read version ${writer.version} of ${subject} in the schema registry ` +
          `(${(cause as Error).message}): run code whose ${readerSchema.name} is compatible with it, or delete ` +
          'the version from the registry if no record was written with it',
        { cause }
      )
    }
  }
}

/** All released versions of each topic's event, oldest first, by topic name. */
export const releasedSchemas: Readonly<Record<string, readonly RecordSchema[]>> = Object.fromEntries(
  Object.entries(schemasOf).map(([name, { versions }]) => [topicNames[name as keyof Topics], Object.values(versions)])
)

function versionOf(schemas: EventSchemas, version: number): RecordSchema {
  const schema = schemas.versions[version]
  if (schema === undefined) throw new RangeError(`${schemas.eventType} has no version ${version}`)
  return schema
}
