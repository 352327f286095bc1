import { connectTopics, createSchemaRegistry, topicNames } from '@orderly/contracts'
import { createTopicReader, type FetchedRecord, releaseHeader, type Topic } from '@orderly/kafka'
import { createPool, retryTransient } from '@orderly/postgres'
import {
  atMostEvery,
  ConfigError,
  createLogger,
  databaseSettings,
  escapeControlsInLines,
  kafkaConnection,
  kafkaSettings,
  maskSecrets,
  parseConfig,
  registryAddress,
  registrySettings
} from '@orderly/service-kit'
import { Type } from 'typebox'
import type { OrderChange } from '../domain/order-change.ts'
import { statusTopics } from '../kafka-access.ts'
import type { OrderStore } from '../store/order-store.ts'
import { orderSessionSettings } from '../store/schema.ts'
import { openStatusRebuild, type Source, type SourcePosition } from '../store/status-rebuild.ts'
import { isRetryable } from './projection.ts'
import { type OrderEvent, orderChanges } from './status-stage.ts'

/**
 * `npm run rebuild-status`: rebuilds the status of all orders from the topics while the service
 * runs (see store/status-rebuild.ts). Reads every committed record up to the start of the run,
 * without a consumer group. Skips a record that it cannot read, reports it, and writes no dead
 * letter for it.
 */

const settings = Type.Object({ ...kafkaSettings, ...registrySettings, ...databaseSettings('orderly_order') })
const logger = createLogger({ service: 'order-status-rebuild', instance: '1', level: 'info', isPretty: false })
const logProgress = atMostEvery<object>(5_000, fields => logger.info(fields, 'rebuilding order status'))
/**
 * Maximum number of unreadable records that are logged one by one; further ones are counted only.
 */
const maxReported = 1_000

const sources = new Map<string, Source>([
  [topicNames.ordersCreated, 'created'],
  [topicNames.inventoryReserved, 'reserved'],
  [topicNames.inventoryFailed, 'failed'],
  [topicNames.inventoryConfirmed, 'confirmed'],
  [topicNames.inventoryReleased, 'released']
])

async function rebuild(config: ReturnType<typeof parseConfig<(typeof settings)['properties']>>): Promise<void> {
  const startedAtMs = Date.now()
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: 1,
    applicationName: 'order-status-rebuild',
    statementTimeoutMs: 600_000,
    sessionSettings: orderSessionSettings
  })
  const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), statusTopics)
  const reader = createTopicReader(kafkaConnection(config, 'order-status-rebuild'), [...sources.keys()])
  try {
    const rebuilt = await openStatusRebuild(pool)
    try {
      const unreadable = new UnreadableRecords()
      const batches = createBatches({ topics, apply: rebuilt.store.apply, unreadable })
      let read = 0
      await reader.readBatches(async records => {
        await batches.apply(records)
        read += records.length
        logProgress({ read })
      }, new AbortController().signal)
      const written = await rebuilt.merge(logProgress)
      const ranges = reader
        .ranges()
        .map(range => ({ ...toSourcePosition(range), topicID: range.topicID, end: Number(range.end) }))
      const kept = await rebuilt.countKept(ranges, unreadable.positions)
      for (const { reason, orders, examples } of kept) {
        if (reason !== 'newer') {
          logger.warn({ event: 'status_rebuild_kept_orders', reason, orders, examples }, 'orders kept unchanged')
        }
      }
      const counts = { read, written, unreadable: unreadable.count }
      const keptByReason = Object.fromEntries(kept.map(({ reason, orders }) => [reason, orders]))
      logger.info({ ...counts, kept: keptByReason, tookMs: Date.now() - startedAtMs }, 'status rebuilt')
    } finally {
      rebuilt.close()
    }
  } finally {
    await reader.close()
    await pool.end()
  }
}

class UnreadableRecords {
  count = 0
  readonly positions: SourcePosition[] = []

  add(record: FetchedRecord, error: unknown): void {
    this.count++
    if (this.count > maxReported) return
    this.positions.push(toSourcePosition(record))
    const { topic, partition, offset } = record
    const fields = { event: 'status_rebuild_record_skipped', error, topic, partition, offset: String(offset) }
    logger.warn(fields, 'unreadable record skipped')
  }
}

function toSourcePosition({ topic, partition, offset }: Pick<FetchedRecord, 'topic' | 'partition' | 'offset'>) {
  return { source: sources.get(topic) as Source, partition, offset: Number(offset) }
}

interface BatchesOptions {
  readonly topics: Parameters<typeof orderChanges>[0]
  readonly apply: OrderStore['apply']
  readonly unreadable: UnreadableRecords
}

function createBatches({ topics, apply, unreadable }: BatchesOptions) {
  const toChange = orderChanges(topics)
  const codecs = new Map(Object.values(topics).map(topic => [topic.name, (topic as Topic<OrderEvent>).codec]))
  const retry = <Result>(work: () => Promise<Result>) =>
    retryTransient(work, { isTransient: isRetryable, attempts: 20, maxDelayMs: 10_000 })

  function decode(record: FetchedRecord): OrderChange | undefined {
    try {
      const codec = codecs.get(record.topic)
      if (codec === undefined || !record.hasValue) throw new Error('the record has no value')
      const { topic, partition, offset, topicID, timestampMs, headers } = record
      const key = record.key?.toString() ?? ''
      return toChange({ topic, partition, offset, topicID, timestampMs, key, headers, event: record.decode(codec) })
    } catch (error) {
      // The release of a blocked key is a record without a value.
      if (record.hasValue || !record.headers.has(releaseHeader)) unreadable.add(record, error)
      return undefined
    }
  }

  return {
    async apply(records: readonly FetchedRecord[]): Promise<void> {
      for (const [name, codec] of codecs) {
        const own = records.filter(record => record.topic === name && record.hasValue && !record.isPreparedFor(codec))
        if (own.length === 0) continue
        const [values, headers] = [own.map(({ value }) => value as Buffer), own.map(({ headers }) => headers)]
        await retry(() => codec.prepare(values, headers))
      }
      const changes = records.map(decode)
      try {
        await retry(() => apply(changes.filter(change => change !== undefined)))
      } catch (failure) {
        if (isRetryable(failure)) throw failure
        for (const [index, change] of changes.entries()) {
          if (change === undefined) continue
          await retry(() => apply([change])).catch(error => {
            if (isRetryable(error)) throw error
            unreadable.add(records[index] as FetchedRecord, error)
          })
        }
      }
    }
  }
}

try {
  await rebuild(parseConfig(settings, process.env))
} catch (error) {
  process.stderr.write(
    `${escapeControlsInLines(maskSecrets(error instanceof Error ? error.message : String(error)))}\n`
  )
  process.exitCode = error instanceof ConfigError ? error.exitCode : 1
}
