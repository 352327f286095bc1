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
} from '@orderly/stack/testing'
import { topicNames } from '../topics.ts'
import { createRegistryView, type RegistryView } from './registry-view.ts'

const pipelineTopics = Object.values(topicNames)

/** Real services on a broker, a database and subjects of the test's own; in stock is `sku`, without end. */
export interface ServicePipeline {
  readonly sku: string
  readonly view: RegistryView
  readonly connection: KafkaConnection
  readonly producer: Producer
  /** What every service needs to know. */
  readonly environment: Readonly<Record<string, string>>
  start(
    name: 'order' | 'inventory' | 'notification',
    instanceID: string,
    env?: Readonly<Record<string, string>>
  ): Promise<TestService>
  /** Ids of the orders whose users were told, by any instance. */
  told(): Promise<Set<string>>
  /** What any instance logged that is worse than a warning. */
  errors(): Promise<LogLine[]>
  /** What is in the dead-letter topic of a topic now. */
  deadLetters(topic: string): Promise<RecordedRecord[]>
}

/** @param registryURL that of the test run when absent */
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
    // One partition, so that whatever stands behind a record came after it.
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
    async told() {
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

/** Asks again and again until the answer is yes. */
export async function until(isSo: () => Promise<boolean> | boolean, patienceMs = 120_000): Promise<void> {
  const patience = AbortSignal.timeout(patienceMs)
  while (!(await isSo())) await delay(50, undefined, { signal: patience })
}
