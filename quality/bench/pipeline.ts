import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { topicNames } from '@orderly/contracts'
import { createInspector, deadLetterTopic, type GroupDescription, partitionKey } from '@orderly/kafka'
import { createMissingTopics, type ServiceName, waitUntil } from '@orderly/launcher'
import { ConnectionPool, deleteGroupsV2, deleteTopicsV6, findCoordinatorV6 } from '@platformatic/kafka'
import { KafkaLog, type LogEnd } from '../verify/collect/kafka-log.ts'
import { skuCount, skuOf } from './orders/make-orders.ts'
import type { BenchServers } from './servers.ts'
import { type RunningService, startService } from './services.ts'

/** The unmodified services on new topics and a new database. */
export interface Pipeline {
  readonly order: RunningService
  readonly inventory: RunningService
  readonly notification: RunningService
  readonly aggregator: RunningService
  stop(): Promise<void>
}

export const inventoryGroup = 'orders-created'
const { ordersCreated, ordersChanges, inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } =
  topicNames
const outcomes = [inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased]
/** Readers of a `Pipeline`, with their consumer groups and topics. */
const readers = {
  inventory: { group: inventoryGroup, topics: [ordersCreated, ordersChanges] },
  notification: { group: 'notifications', topics: outcomes },
  aggregator: { group: 'order-rate', topics: [ordersCreated] },
  'status projection': { group: 'order-status', topics: [ordersCreated, ...outcomes] }
} as const
export type Reader = keyof typeof readers
export const readerNames = Object.keys(readers) as Reader[]
const groups = Object.values(readers).map(({ group }) => group)
/** Stock that never runs out. */
export const initialStock: Readonly<Record<string, number>> = Object.fromEntries(
  Array.from({ length: skuCount }, (_, index) => [skuOf(index), 1_000_000_000])
)

export async function startPipeline(
  servers: BenchServers,
  argumentsFor: (service: string) => readonly string[] = () => []
): Promise<Pipeline> {
  await resetTopics(servers, 4)
  const env = await pipelineEnvironment(servers)
  const start = (service: ServiceName) => startService(servers, { service, env, nodeArguments: argumentsFor(service) })
  const [order, inventory, notification, aggregator] = await Promise.all([
    start('order'),
    start('inventory'),
    start('notification'),
    start('aggregator')
  ])
  const services = { order, inventory, notification, aggregator }
  return {
    ...services,
    async stop() {
      await Promise.all(Object.values(services).map(service => service.stop()))
      await servers.dropDatabase(env.DATABASE_URL)
    }
  }
}

/**
 * Creates a database and returns the settings of services that share it, with stock that never runs
 * out.
 */
export async function pipelineEnvironment(servers: BenchServers) {
  const stockFile = join(servers.logs, 'stock.csv')
  const rows = Object.entries(initialStock).map(row => `${row.join(',')}\n`)
  await writeFile(stockFile, `sku,available\n${rows.join('')}`)
  return { DATABASE_URL: await servers.createDatabase(), SEED_STOCK_FILE: stockFile }
}

/** Deletes the topics and consumer groups, and creates the topics again. */
export async function resetTopics(servers: BenchServers, partitions: number): Promise<void> {
  const pool = new ConnectionPool('orderly-bench')
  try {
    const [host = '', port] = servers.broker.split(':')
    const broker = await pool.get({ host, port: Number(port) })
    const names = Object.values(topicNames).flatMap(name => [name, deadLetterTopic(name)])
    // Fails if a topic does not exist, which is fine.
    await deleteTopicsV6.api
      .async(
        broker,
        names.map(name => ({ name })),
        10_000
      )
      .catch(() => {})
    const isFree = async (group: string) => {
      await findCoordinatorV6.api.async(broker, 0, [group])
      return deleteGroupsV2.api.async(broker, [group]).then(
        () => true,
        error => !String(error.errors?.[0]?.apiId ?? error).includes('NON_EMPTY_GROUP')
      )
    }
    for (const group of groups) {
      await waitUntil(() => isFree(group), { what: `the last member to leave group ${group}`, deadlineMs: 30_000 })
    }
  } finally {
    await pool.close()
  }
  await createMissingTopics(servers.connection, { partitions, replicationFactor: 1 })
}

/** A probe of the inventory's progress. */
export interface LagProbe {
  /**
   * Returns the committed offsets of the inventory (sum and by partition) and the number of written
   * orders.
   */
  progress(): Promise<{ readonly done: number; readonly written: number; readonly byPartition: readonly number[] }>
  close(): Promise<void>
}

export function createLagProbe(servers: BenchServers): LagProbe {
  const log = new KafkaLog([servers.broker])
  const topic = ordersCreated
  return {
    async progress() {
      const [ends, committed] = await Promise.all([log.ends(topic), log.committedOffsets(inventoryGroup)])
      const byPartition = ends.map(({ partition }) => committed.get(partitionKey({ topic, partition })) ?? 0)
      return {
        done: byPartition.reduce((sum, offset) => sum + offset, 0),
        written: ends.reduce((sum, { highWatermark }) => sum + highWatermark, 0),
        byPartition
      }
    },
    close: () => log.close()
  }
}

/**
 * A probe of the lag of each reader of the pipeline, measured at about the same time, and of the
 * number of written orders.
 */
export interface PipelineLag {
  /**
   * Estimates from offsets, which is cheap. Counts transaction markers, so lag of outcomes can
   * remain above 0.
   */
  estimate(): Promise<LagSample>
  /** Counts records. Reads them to exclude markers, which would slow down a pipeline under load. */
  count(): Promise<LagSample>
  close(): Promise<void>
}

export interface LagSample {
  readonly written: number
  readonly waiting: Readonly<Record<Reader, number>>
}

export function createPipelineLag(servers: BenchServers): PipelineLag {
  const inspector = createInspector(servers.connection)
  const log = new KafkaLog([servers.broker])
  return {
    async estimate() {
      const inUse = [ordersCreated, inventoryReserved, inventoryFailed]
      const ends = new Map<string, LogEnd[]>(
        await Promise.all(inUse.map(async topic => [topic, await log.ends(topic)] as const))
      )
      const waiting = readerNames.map(async reader => {
        const { group, topics } = readers[reader]
        const committed = await log.committedOffsets(group)
        const behind = topics.flatMap(topic =>
          (ends.get(topic) ?? []).map(({ partition, highWatermark }) =>
            Math.max(0, highWatermark - (committed.get(partitionKey({ topic, partition })) ?? 0))
          )
        )
        return [reader, behind.reduce((sum, records) => sum + records, 0)] as const
      })
      return {
        written: (ends.get(ordersCreated) ?? []).reduce((sum, { highWatermark }) => sum + highWatermark, 0),
        waiting: Object.fromEntries(await Promise.all(waiting)) as Record<Reader, number>
      }
    },
    async count() {
      const lags = await Promise.all(readerNames.map(reader => inspector.lag(asIfReading(readers[reader]))))
      const sums = lags.map(partitions => partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0))
      const orders = lags[readerNames.indexOf('inventory')]?.filter(({ topic }) => topic === ordersCreated) ?? []
      return {
        written: orders.reduce((sum, { endOffset }) => sum + Number(endOffset), 0),
        waiting: Object.fromEntries(readerNames.map((reader, index) => [reader, sums[index] ?? 0])) as Record<
          Reader,
          number
        >
      }
    },
    async close() {
      await inspector.close()
      await log.close()
    }
  }
}

/**
 * Describes a group as if it were reading all its topics, so that lag is also counted before its
 * members have joined or committed.
 */
function asIfReading({ group, topics }: (typeof readers)[Reader]): GroupDescription {
  const partitions = topics.map(topic => ({ topic, partition: 0 }))
  return {
    groupID: group,
    state: 'Stable',
    members: [{ memberID: '', instanceID: null, clientID: '', host: '', partitions }]
  }
}
