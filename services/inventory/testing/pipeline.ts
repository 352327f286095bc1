import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import {
  connectTopics,
  createSchemaRegistry,
  type InventoryConfirmed,
  type InventoryFailed,
  type InventoryReleased,
  type InventoryReserved,
  type OrderChangeRequested,
  type OrderCreated,
  type Topics,
  toRecord
} from '@orderly/contracts'
import { orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import {
  createProducer,
  createTopics,
  deadLetterTopic,
  type KafkaConnection,
  type StagePoint,
  type Topic
} from '@orderly/kafka'
import { createPool, ownerRole } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import {
  integrationEnvironment,
  runUntilKilled,
  startBroker,
  startService,
  type TestBroker,
  type TestDatabase,
  type TestService
} from '@orderly/stack/testing'
import type { Pool } from 'pg'
import { createPostgresStore } from '../store/postgres.ts'
import type { StockStore } from '../store/stock-store.ts'
import { type Published, readPublished } from './read-published.ts'

/** What the inventory works with: a broker and a database of the test's own, and the registry of the test run. */
export interface Pipeline {
  readonly broker: TestBroker
  readonly connection: KafkaConnection
  readonly topics: Topics
  readonly pool: Pool
  readonly store: StockStore
  /** The settings that every instance needs. */
  readonly environment: Readonly<Record<string, string>>
  start(t: TestContext, instanceID: string): Promise<TestService>
  /** Every order that was placed, those by which `settle` and `settlements` wait included. */
  readonly placed: readonly OrderCreated[]
  /** Retries until the broker has stored the orders, each of them at least once. */
  place(orders: readonly OrderCreated[], from?: Origin): Promise<void>
  /** Requests changes of orders, in the given sequence. */
  ask(changes: readonly OrderChangeRequested[], from?: Origin): Promise<void>
  /** Runs instance `one` until it kills itself where the point is passed for the given time. */
  killAt(t: TestContext, point: StagePoint, pass: number): Promise<void>
  /** What became of reserved orders, by order, once every change that stands before now has been decided. */
  settlements(): Promise<ReadonlyMap<string, readonly Published<InventoryConfirmed | InventoryReleased>[]>>
  /** Everything that became of the orders, once every record that stands before now has been decided. */
  settle(orders: readonly OrderCreated[]): Promise<readonly SettledOrder[]>
}

export interface Origin {
  readonly traceparent?: string
  /** The caller that placed the orders. */
  readonly caller?: string
}

export interface SettledOrder {
  readonly order: OrderCreated
  /** How often it stands in `orders.created`. */
  readonly timesPlaced: number
  readonly outcomes: readonly Published<InventoryReserved | InventoryFailed>[]
}

/** Stocked without end, for the orders by which `settle` knows that all others are through. */
const markerSKU = 'MARKER'

/** @param database a server to use instead of a new database of the test run's server */
export async function startPipeline(t: TestContext, database?: TestDatabase): Promise<Pipeline> {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), database?.urlOf(ownerRole) ?? databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'inventory-test' }
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const { ordersCreated, ordersChanges, inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } =
    topics
  const inputs = [ordersCreated, ordersChanges].map(({ name }) => name)
  const outputs = [inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased, topics.stockMovements]
  const results = outputs.map(({ name }) => name)
  await createTopics(
    connection,
    [...inputs, ...inputs.map(deadLetterTopic), ...results].map(name => ({ name, partitions: 4, replicationFactor: 1 }))
  )
  const producer = await createProducer(connection, { deliveryTimeoutMs: 3000 })
  t.after(() => producer.close())
  const pool = createPool({ url, maxConnections: 2, applicationName: 'pipeline-test', statementTimeoutMs: 5000 })
  t.after(() => pool.end())
  const store = createPostgresStore(pool)
  await store.setAvailable(new Map([[markerSKU, 1_000_000_000]]))
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: database?.urlOf('orderly_inventory') ?? url,
    DATABASE_OWNER_URL: url
  }

  const placed: OrderCreated[] = []

  async function place(orders: readonly OrderCreated[], from: Origin = {}): Promise<void> {
    const { traceparent = newTraceparent(), caller } = from
    const records = orders.map(order => toRecord(ordersCreated, order, traceparent, { caller }))
    placed.push(...orders)
    for (;;) {
      try {
        return await producer.send(records)
      } catch (error) {
        if ((error as { retryable?: unknown }).retryable !== true) throw error
      }
    }
  }

  async function ask(changes: readonly OrderChangeRequested[], from: Origin = {}): Promise<void> {
    const { traceparent = newTraceparent(), caller } = from
    await producer.send(changes.map(change => toRecord(ordersChanges, change, traceparent, { caller })))
  }

  /** Orders that are cancelled or confirmed once they are reserved: behind what is told of them, in either topic, nothing is missing any more. */
  async function settlements() {
    const cancelled = markers(1)
    const confirmed = markers(1).map(order => ({ ...order, holdSeconds: 600 }))
    const last = [...cancelled, ...confirmed]
    const ids = last.map(({ orderID }) => orderID)
    await place(last)
    await readPublished(connection, [inventoryReserved], ids)
    const asking =
      (change: 'cancel' | 'confirm') =>
      ({ orderID, userID }: OrderCreated) =>
        orderChangeRequested({ orderID, userID, change })
    await ask([...cancelled.map(asking('cancel')), ...confirmed.map(asking('confirm'))])
    return readPublished(
      connection,
      [inventoryReleased, inventoryConfirmed] as Topic<InventoryConfirmed | InventoryReleased>[],
      ids
    )
  }

  async function settle(orders: readonly OrderCreated[]): Promise<SettledOrder[]> {
    const last = markers(1, 2_000_000_000)
    await place(last)
    const orderIDs = [...orders, ...last].map(({ orderID }) => orderID)
    const results: Topic<InventoryReserved | InventoryFailed>[] = [
      inventoryReserved as Topic<InventoryReserved | InventoryFailed>,
      inventoryFailed as Topic<InventoryReserved | InventoryFailed>
    ]
    const [placed, outcomes] = await Promise.all([
      readPublished(connection, [ordersCreated], orderIDs),
      readPublished(connection, results, orderIDs)
    ])
    return orders.map(order => ({
      order,
      timesPlaced: placed.get(order.orderID)?.length ?? 0,
      outcomes: outcomes.get(order.orderID) ?? []
    }))
  }

  return {
    broker,
    connection,
    topics,
    pool,
    store,
    environment,
    start: (test, instanceID) => startService(test, 'inventory', { ...environment, INSTANCE_ID: instanceID }),
    killAt: (test, point, pass) =>
      runUntilKilled(test, 'inventory', { point, pass }, { ...environment, INSTANCE_ID: 'one' }),
    placed,
    place,
    ask,
    settlements,
    settle
  }
}

/** One of each quantity for many users, so that every partition of every topic gets one: 1 is reserved, 2,000,000,000 fail. */
function markers(...quantities: readonly number[]): OrderCreated[] {
  return Array.from({ length: 40 }, () => randomUUID()).flatMap(userID =>
    quantities.map(quantity => orderCreated({ userID, items: [{ sku: markerSKU, quantity }] }))
  )
}
