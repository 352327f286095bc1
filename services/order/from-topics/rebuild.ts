import { randomUUID } from 'node:crypto'
import { connectTopics, createSchemaRegistry, topicNames } from '@orderly/contracts'
import { type PartitionProgress, runStage, type TickContext } from '@orderly/kafka'
import { createPool, migrate } from '@orderly/postgres'
import {
  ConfigError,
  createLogger,
  databaseSettings,
  kafkaConnection,
  kafkaSettings,
  parseConfig,
  registryAddress,
  registrySettings
} from '@orderly/service-kit'
import { Type } from 'typebox'
import { createRebuiltOrders, type ReplayEnd } from '../store/rebuilt-orders.ts'
import { orderSchema, orderSessionSettings } from '../store/schema.ts'
import { isRetryable } from './projection.ts'
import { statusStage, statusTopics } from './status-stage.ts'

/**
 * `npm run rebuild-status -w @orderly/order`: makes the status of all orders anew from the topics, while the service runs. Reads every
 * record up to now into a table beside the one in use, in a group of its own, then puts right what differs.
 */

const settings = Type.Object({ ...kafkaSettings, ...registrySettings, ...databaseSettings })
const logger = createLogger({ service: 'order-status-rebuild', instance: '1', level: 'info', isPretty: false })

const sources = new Map<string, ReplayEnd['source']>([
  [topicNames.ordersCreated, 'created'],
  [topicNames.inventoryReserved, 'reserved'],
  [topicNames.inventoryFailed, 'failed'],
  [topicNames.inventoryConfirmed, 'confirmed'],
  [topicNames.inventoryReleased, 'released']
])

try {
  await rebuild(parseConfig(settings, process.env))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof ConfigError ? error.exitCode : 1
}

async function rebuild(config: ReturnType<typeof parseConfig<(typeof settings)['properties']>>): Promise<void> {
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: 2,
    applicationName: 'order-status-rebuild',
    statementTimeoutMs: 60_000,
    sessionSettings: orderSessionSettings
  })
  try {
    await migrate(pool, { ...orderSchema, logger })
    const registry = createSchemaRegistry(registryAddress(config))
    const topics = await connectTopics(registry, statusTopics)
    const rebuilt = await createRebuiltOrders(pool)
    const { promise: end, resolve } = Promise.withResolvers<readonly PartitionProgress[]>()
    const startedAtMs = Date.now()
    const group = `order-status-rebuild-${randomUUID()}`
    const stage = runStage(
      {
        ...statusStage({ topics, store: rebuilt.store, group }),
        tick: {
          everyMs: 250,
          async run({ partitions, partitionCounts }: TickContext) {
            const expected = [...partitionCounts.values()].reduce((sum, count) => sum + count, 0)
            const isThrough = ({ completeUntilMs = 0 }: PartitionProgress) => completeUntilMs >= startedAtMs
            if (partitions.length === expected && partitions.every(isThrough)) resolve(partitions)
            return []
          }
        }
      },
      {
        connection: kafkaConnection(config, 'order-status-rebuild'),
        delivery: 'at-least-once',
        isTransient: isRetryable,
        logger
      }
    )
    const partitions = await Promise.race([end, stage.finished.then(() => [])])
    await stage.stop()
    const result = await rebuilt.replace(partitions.map(replayEnd))
    logger.info({ ...result, tookMs: Date.now() - startedAtMs }, 'status rebuilt')
  } finally {
    await pool.end()
  }
}

function replayEnd({ topic, partition, offset }: PartitionProgress): ReplayEnd {
  return { source: sources.get(topic) as ReplayEnd['source'], partition, offset: Number(offset) }
}
