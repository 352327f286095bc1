import type { TestContext } from 'node:test'
import { connectTopics, createSchemaRegistry, type OrderRate, topicConfig, toRecord } from '@orderly/contracts'
import { orderRate as anyRate, orderCreated } from '@orderly/contracts/testing'
import {
  createProducer,
  createTopics,
  deadLetterTopic,
  type KafkaConnection,
  type StageFailpoint
} from '@orderly/kafka'
import { deleteTopic, type RecordedRecord, readCommitted } from '@orderly/kafka/testing'
import {
  integrationEnvironment,
  runUntilKilled,
  startBroker,
  startService,
  type TestService
} from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import type { Pool } from 'pg'

export interface PlacedOrder {
  readonly userID?: string
  readonly createdAtMs: number
  /** Timestamp of the record, unless the broker sets it; defaults to the time of creation. */
  readonly writtenAtMs?: number
}

export interface PublishedRate {
  readonly record: RecordedRecord
  readonly rate: OrderRate
}

/**
 * The servers of an aggregator test: a separate broker and database, and the registry of the test
 * run.
 */
export interface Pipeline {
  readonly connection: KafkaConnection
  readonly pool: Pool
  place(orders: readonly PlacedOrder[]): Promise<void>
  start(t: TestContext, instanceID: string, settings?: Readonly<Record<string, string>>): Promise<TestService>
  /** Runs instance `one` until it kills itself at the n-th pass of the failpoint. */
  killAt(
    t: TestContext,
    point: StageFailpoint,
    pass: number,
    settings?: Readonly<Record<string, string>>
  ): Promise<void>
  /** Returns all published records, oldest first, once `isEnough` accepts them. */
  published(isEnough: (rates: readonly PublishedRate[]) => boolean): Promise<readonly PublishedRate[]>
  /** Deletes `orders.created` and creates it again. */
  recreateOrders(): Promise<void>
  /** Returns the number of orders counted in windows that start in this range. */
  counted(fromMs: number, toMs: number): Promise<number>
}

/**
 * Starts a broker and prepares topics, database and clients.
 * @param clock source of record timestamps: the broker, as in production, or the test
 */
export async function startPipeline(
  t: TestContext,
  settings: Readonly<Record<string, string>>,
  clock: 'broker' | 'test' = 'test'
): Promise<Pipeline> {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'aggregator-test' }
  const { ordersCreated, orderRate } = await connectTopics(createSchemaRegistry({ url: registryURL }))
  await orderRate.codec.prepare([orderRate.codec.encode(anyRate())])
  const create = (names: readonly string[]) =>
    createTopics(
      connection,
      names.map(name => ({
        name,
        partitions: 4,
        replicationFactor: 1,
        configs: clock === 'test' && name === ordersCreated.name ? {} : topicConfig(name)
      }))
    )
  await create([ordersCreated.name, deadLetterTopic(ordersCreated.name), orderRate.name])
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const pool = createPool({ url, maxConnections: 2, applicationName: 'aggregator-test', statementTimeoutMs: 5_000 })
  t.after(() => pool.end())
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: url,
    ...settings
  }

  return {
    connection,
    pool,
    place: orders =>
      producer.send(
        orders.map(({ userID, createdAtMs, writtenAtMs = createdAtMs }) => {
          const order = orderCreated({ createdAtMs, ...(userID !== undefined && { userID }) })
          return { ...toRecord(ordersCreated, order, newTraceparent()), timestampMs: writtenAtMs }
        })
      ),
    start: (test, instanceID, more) =>
      startService(test, 'aggregator', { ...environment, INSTANCE_ID: instanceID, ...more }),
    killAt: (test, point, pass, more) =>
      runUntilKilled(test, 'aggregator', { point, pass }, { ...environment, INSTANCE_ID: 'one', ...more }),
    async published(isEnough) {
      const rates: PublishedRate[] = []
      await readCommitted(
        connection,
        orderRate.name,
        records => {
          for (const record of records.slice(rates.length))
            rates.push({ record, rate: orderRate.codec.decode(record.value) })
          return isEnough(rates)
        },
        { signal: AbortSignal.timeout(90_000) }
      )
      return rates
    },
    async recreateOrders() {
      await deleteTopic(connection, ordersCreated.name)
      await create([ordersCreated.name])
    },
    async counted(fromMs, toMs) {
      const sum = 'SELECT coalesce(sum(orders + late), 0)::bigint AS counted FROM aggregator.windows'
      return (await pool.query(`${sum} WHERE start_ms BETWEEN $1 AND $2`, [fromMs, toMs])).rows[0].counted
    }
  }
}
