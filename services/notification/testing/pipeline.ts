import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectTopics, createSchemaRegistry, eventID, type Topics, toRecord } from '@orderly/contracts'
import { inventoryFailed, inventoryReserved } from '@orderly/contracts/testing'
import {
  createProducer,
  createTopics,
  deadLetterTopic,
  type KafkaConnection,
  type OutputRecord,
  type Producer
} from '@orderly/kafka'
import { integrationEnvironment, startBroker, startService, type TestService } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import type { Pool } from 'pg'
import { resultTopics } from '../kafka-access.ts'

/**
 * Environment of the notification service: a separate broker and database for the test, and the
 * registry of the test run.
 */
export interface Pipeline {
  readonly topics: Topics
  readonly producer: Producer
  readonly connection: KafkaConnection
  readonly pool: Pool
  start(t: TestContext, environment?: Readonly<Record<string, string>>): Promise<TestService>
}

/** Short retries and leases, so that tests observe them end. */
const impatient = {
  NOTIFICATION_RETRY_INITIAL_MS: '50',
  NOTIFICATION_MAX_RETRY_MS: '200',
  NOTIFICATION_LEASE_MS: '4000',
  NOTIFICATION_POLL_MS: '50',
  WEBHOOK_TIMEOUT_MS: '2000',
  SMTP_TIMEOUT_MS: '2000'
}

export async function startPipeline(t: TestContext): Promise<Pipeline> {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [{ brokers }, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers, clientID: 'notification-test' }
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const names = Object.keys(resultTopics).map(name => topics[name as keyof typeof resultTopics].name)
  await createTopics(
    connection,
    [...names, ...names.map(deadLetterTopic)].map(name => ({ name, partitions: 4, replicationFactor: 1 }))
  )
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const pool = createPool({ url, maxConnections: 2, applicationName: 'test', statementTimeoutMs: 5_000 })
  t.after(() => pool.end())
  const own = { KAFKA_BROKERS: brokers.join(','), SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: url }
  const start = (test: TestContext, environment = {}) =>
    startService(test, 'notification', { ...own, ...impatient, ...environment })
  return { topics, producer, connection, pool, start }
}

export interface Outcomes {
  readonly eventIDs: readonly string[]
  readonly records: readonly OutputRecord[]
}

/**
 * Creates outcomes. Without `userID`, both kinds alternate and each has its own user; `caller` is
 * the caller that placed the orders.
 */
export function outcomes({ topics }: Pipeline, count: number, userID?: string, caller?: string): Outcomes {
  const fields = userID === undefined ? {} : { userID }
  const eventIDs: string[] = []
  const records = Array.from({ length: count }, (_, index) => {
    // All outcomes of one user are in one topic, because order is not defined between topics.
    if (index % 2 === 0 || userID !== undefined) {
      const event = inventoryReserved(fields)
      eventIDs.push(eventID('InventoryReserved', event.orderID))
      return toRecord(topics.inventoryReserved, event, newTraceparent(), { caller })
    }
    const event = inventoryFailed(fields)
    eventIDs.push(eventID('InventoryFailed', event.orderID))
    return toRecord(topics.inventoryFailed, event, newTraceparent(), { caller })
  })
  return { eventIDs, records }
}

/** Counts the deliveries to a target by status. */
export async function statuses(pool: Pool, target: string): Promise<Record<string, number>> {
  const { rows } = await pool.query(
    'SELECT status, count(*) AS count FROM notification.deliveries WHERE target = $1 GROUP BY status',
    [target]
  )
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]))
}

/** Polls until the condition holds. */
export async function until(isSo: () => boolean | Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const deadline = AbortSignal.timeout(deadlineMs)
  while (!(await isSo())) await delay(20, undefined, { signal: deadline })
}

export interface EndpointFields {
  readonly name: string
  readonly caller?: string
  readonly url: string
  readonly secrets: readonly string[]
}

/** Stores an endpoint like `orderly endpoints add`. */
export async function addEndpoint(pool: Pool, { name, caller, url, secrets }: EndpointFields): Promise<void> {
  const { rows } = await pool.query(
    'INSERT INTO notification.endpoints (name, caller, url) VALUES ($1, $2, $3) RETURNING target',
    [name, caller, url]
  )
  for (const secret of secrets) {
    const insert = 'INSERT INTO notification.endpoint_secrets (target, secret) VALUES ($1, $2)'
    await pool.query(insert, [rows[0].target, secret])
  }
}
