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
  type StageFailpoint,
  type Topic
} from '@orderly/kafka'
import {
  integrationEnvironment,
  runUntilKilled,
  startBroker,
  startService,
  type TestBroker,
  type TestDatabase,
  type TestService
} from '@orderly/launcher/testing'
import { createPool, ownerRole } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import type { Pool } from 'pg'
import { createPostgresTestStore, type TestStore } from '../store/testing/test-store.ts'
import { type Published, readPublished } from './read-published.ts'

/**
 * The servers of an inventory test: a separate broker and database, and the registry of the test
 * run.
 */
export interface Pipeline {
  readonly broker: TestBroker
  readonly connection: KafkaConnection
  readonly topics: Topics
  readonly pool: Pool
  readonly store: TestStore
  /** Settings of every instance. */
  readonly environment: Readonly<Record<string, string>>
  start(t: TestContext, instanceID: string): Promise<TestService>
  /** All placed orders, including the markers of `untilDecided` and `settlements`. */
  readonly placed: readonly OrderCreated[]
  /** Publishes orders and retries until the broker has stored each of them at least once. */
  place(orders: readonly OrderCreated[], from?: Origin): Promise<void>
  /** Publishes change requests in sequence. */
  ask(changes: readonly OrderChangeRequested[], from?: Origin): Promise<void>
  /** Runs instance `one` until it kills itself at the n-th pass of the failpoint. */
  killAt(t: TestContext, point: StageFailpoint, pass: number): Promise<void>
  /**
   * Returns the settlements by order, once all change requests published before the call are
   * decided.
   */
  settlements(): Promise<ReadonlyMap<string, readonly Published<InventoryConfirmed | InventoryReleased>[]>>
  /** Returns the outcomes of the orders, once all orders published before the call are decided. */
  untilDecided(orders: readonly OrderCreated[]): Promise<readonly DecidedOrder[]>
}

export interface Origin {
  readonly traceparent?: string
  /** The caller that placed the orders. */
  readonly caller?: string
}

export interface DecidedOrder {
  readonly order: OrderCreated
  /** Number of its records in `orders.created`. */
  readonly timesPlaced: number
  readonly outcomes: readonly Published<InventoryReserved | InventoryFailed>[]
}

/**
 * SKU with unlimited stock for marker orders, whose outcomes show that all preceding orders are
 * decided.
 */
const markerSKU = 'MARKER'

/**
 * Starts a broker and prepares topics, database and clients.
 * @param database a server to use instead of a new database on the server of the test run
 */
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
  const store = createPostgresTestStore(pool)
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

  /**
   * Places marker orders, then cancels or confirms them. Their settlements follow all others in
   * both topics.
   */
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

  async function untilDecided(orders: readonly OrderCreated[]): Promise<DecidedOrder[]> {
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
    untilDecided
  }
}

/**
 * Creates marker orders of each quantity for 40 users, so that every partition gets some. Quantity
 * 1 is reserved; 2,000,000,000 fails.
 */
function markers(...quantities: readonly number[]): OrderCreated[] {
  return Array.from({ length: 40 }, () => randomUUID()).flatMap(userID =>
    quantities.map(quantity => orderCreated({ userID, items: [{ sku: markerSKU, quantity }] }))
  )
}
