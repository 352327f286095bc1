import type { TestContext } from 'node:test'
import { topicNames } from '@orderly/contracts'
import { createTopics, deadLetterTopic, type KafkaConnection } from '@orderly/kafka'
import { type RecordedRecord, readCommitted } from '@orderly/kafka/testing'
import {
  integrationEnvironment,
  startBroker,
  startService,
  type TestBroker,
  type TestService
} from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import type { Pool } from 'pg'
import { anOrder } from './order-api.ts'

/** A separate broker and database for a test, and functions that start services on them. */
export interface OrderPipeline {
  readonly broker: TestBroker
  readonly connection: KafkaConnection
  readonly pool: Pool
  readonly environment: Readonly<Record<string, string>>
  startOrder(instanceID: string, settings?: Record<string, string>): Promise<TestService>
  startInventory(): Promise<TestService>
  /**
   * Returns the ids of the user's orders in `orders.created`, up to a marker order that it places
   * for the user.
   */
  placedFor(userID: string, via: TestService): Promise<string[]>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: any JSON; tests compare it with what they expect
  readonly body: any
}

export async function startOrderPipeline(t: TestContext): Promise<OrderPipeline> {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'order-test' }
  await createTopics(
    connection,
    Object.values(topicNames)
      .flatMap(name => [name, deadLetterTopic(name)])
      .map(name => ({ name, partitions: 4, replicationFactor: 1 }))
  )
  const pool = createPool({ url, maxConnections: 2, applicationName: 'order-test', statementTimeoutMs: 5_000 })
  t.after(() => pool.end())
  const environment = { KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: url }
  const idOf = ({ headers }: RecordedRecord) => (headers['event-id'] ?? '').slice('OrderCreated-'.length)

  return {
    broker,
    connection,
    pool,
    environment,
    startOrder: (instanceID, settings = {}) =>
      startService(t, 'order', { ...environment, INSTANCE_ID: instanceID, ...settings }),
    startInventory: () => {
      const seed = new URL('../../../launcher/samples/stock.csv', import.meta.url).pathname
      return startService(t, 'inventory', { ...environment, SEED_STOCK_FILE: seed })
    },
    async placedFor(userID, via) {
      // The marker order has the same record key, so it follows all earlier orders of the user.
      const { body } = await post(via.url, { ...anOrder, userID })
      const records = await readCommitted(connection, topicNames.ordersCreated, all =>
        all.some(record => idOf(record) === body.orderID)
      )
      return records
        .filter(({ key }) => key === userID)
        .map(idOf)
        .filter(orderID => orderID !== body.orderID)
    }
  }
}

export async function post(url: string, order: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`${url}/orders`, {
    method: 'POST',
    body: JSON.stringify(order),
    headers: { 'content-type': 'application/json', ...headers }
  })
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}

/** Repeats the request until the key has no other request in flight, as a caller would. */
export async function postUntilFree(
  url: string,
  order: unknown,
  headers: Record<string, string>
): Promise<Answer & { readonly conflicts: number }> {
  for (let conflicts = 0; ; conflicts++) {
    const answer = await post(url, order, headers)
    if (answer.status !== 409) return { ...answer, conflicts }
  }
}

export async function get(url: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, { headers })
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}
