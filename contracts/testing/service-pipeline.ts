import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection, type Producer } from '@orderly/kafka'
import { type RecordedRecord, readCommitted } from '@orderly/kafka/testing'
import {
  integrationEnvironment,
  type LogLine,
  startBroker,
  startService,
  type TestService
} from '@orderly/launcher/testing'
import { topicNames } from '../topics.ts'
import { createRegistryView, type RegistryView } from './registry-view.ts'

const pipelineTopics = Object.values(topicNames)

/**
 * Services with a separate broker, database and subjects for a test. `sku` is in stock in a
 * practically unlimited quantity.
 */
export interface ServicePipeline {
  readonly sku: string
  readonly view: RegistryView
  readonly connection: KafkaConnection
  readonly producer: Producer
  /** Settings of every service. */
  readonly environment: Readonly<Record<string, string>>
  start(
    name: 'order' | 'inventory' | 'notification',
    instanceID: string,
    env?: Readonly<Record<string, string>>
  ): Promise<TestService>
  /** Returns the ids of the orders for which any instance sent a notification. */
  reported(): Promise<Set<string>>
  /** Returns the log lines of all instances at `error` and `fatal`. */
  errors(): Promise<LogLine[]>
  /** Returns the current dead letters of a topic. */
  deadLetters(topic: string): Promise<RecordedRecord[]>
}

/** Starts the servers of a pipeline. @param registryURL the registry of the test run by default */
export async function startServicePipeline(
  t: TestContext,
  registryURL = integrationEnvironment().registryURL
): Promise<ServicePipeline> {
  const { databaseURL } = integrationEnvironment()
  const [broker, database, view, directory] = await Promise.all([
    startBroker(t),
    databaseURL(),
    createRegistryView(t, registryURL),
    mkdtemp(join(tmpdir(), 'contracts-'))
  ])
  t.after(() => rm(directory, { recursive: true }))
  const connection = { brokers: broker.brokers, clientID: 'contracts-test' }
  await createTopics(connection, [
    ...pipelineTopics.map(name => ({ name, partitions: 4, replicationFactor: 1 })),
    // One partition, so that the records of all keys are in order.
    ...pipelineTopics.map(name => ({ name: deadLetterTopic(name), partitions: 1, replicationFactor: 1 }))
  ])
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const sku = 'MUG-WHITE'
  const stockFile = join(directory, 'stock.csv')
  await writeFile(stockFile, `sku,available\n${sku},1000000000\n`)
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: view.url,
    DATABASE_URL: database,
    SEED_STOCK_FILE: stockFile
  }
  const instances: TestService[] = []

  async function logs(): Promise<LogLine[]> {
    return (await Promise.all(instances.map(instance => instance.logs()))).flat()
  }

  return {
    sku,
    view,
    connection,
    producer,
    environment,
    async start(name, instanceID, env = {}) {
      const instance = await startService(t, name, { ...environment, INSTANCE_ID: instanceID, ...env })
      instances.push(instance)
      return instance
    },
    async reported() {
      const notifications = (await logs()).map(({ notification }) => notification as { orderID?: string } | undefined)
      return new Set(notifications.flatMap(notification => notification?.orderID ?? []))
    },
    async errors() {
      return (await logs()).filter(({ level }) => level === 'error' || level === 'fatal')
    },
    async deadLetters(topic) {
      const name = deadLetterTopic(topic)
      const last = crypto.randomUUID()
      const value = Buffer.alloc(0)
      await producer.send([{ topic: name, key: last, value, headers: {} }])
      const records = await readCommitted(connection, name, read => read.some(({ key }) => key === last))
      return records.filter(record => record.value.length > 0)
    }
  }
}

/** Polls until the condition is true. */
export async function until(isSo: () => Promise<boolean> | boolean, patienceMs = 120_000): Promise<void> {
  const patience = AbortSignal.timeout(patienceMs)
  while (!(await isSo())) await delay(50, undefined, { signal: patience })
}
