import { setTimeout as delay } from 'node:timers/promises'
import { eventHeaders, type StockMoved } from '@orderly/contracts'
import { createProducer, type KafkaConnection, type OutputRecord, type Topic } from '@orderly/kafka'
import { backoffMs } from '@orderly/retry'
import { type Logger, type Metrics, newTraceparent, type ServiceContext } from '@orderly/service-kit'
import { Gauge } from 'prom-client'
import type { MovementQueue } from '../store/movement-queue.ts'
import type { StockAdmin } from '../store/stock-admin.ts'

export interface PublishingOptions {
  readonly queue: MovementQueue
  /** Resolves once all in-sync replicas have the movements. */
  readonly publish: (movements: readonly StockMoved[]) => Promise<void>
  readonly metrics: Metrics
  readonly logger: Pick<Logger, 'warn'>
  /** Interval of the search for movements of other instances, including crashed ones. */
  readonly pollMs?: number
}

export interface MovementPublishing {
  /** Looks for unpublished movements immediately, without waiting for the next poll. */
  wake(): void
  /** Stops after the batch in flight. */
  stop(): Promise<void>
}

const maxBatchRecords = 500
/**
 * Delivery timeout of movements, below the timeout of idle transactions: the transaction that reads
 * movements also marks them.
 */
const deliveryTimeoutMs = 3_000
const backoff = { initialMs: 250, maxMs: 30_000 }

/**
 * Publishes every stock movement at least once, with a stable event id, so that stock can be
 * rebuilt from the topic. Stock changes do not wait for this: while Kafka is unavailable, movements
 * stay unpublished in their table.
 */
export function publishMovements(options: PublishingOptions): MovementPublishing {
  const { queue, publish, metrics, logger, pollMs = 1_000 } = options
  const waiting = new Gauge({
    name: 'orderly_inventory_unpublished_movements',
    help: 'Stock movements that are not yet published to their topic.',
    registers: [metrics]
  })
  const stopping = new AbortController()
  let sleeping = new AbortController()
  let isDue = false

  async function sleep(ms: number): Promise<void> {
    sleeping = new AbortController()
    if (isDue || stopping.signal.aborted) return
    await delay(ms, undefined, { signal: sleeping.signal, ref: false }).catch(() => {})
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      isDue = false
      try {
        const published = await queue.publishNext(maxBatchRecords, publish)
        waiting.set(await queue.count())
        failures = 0
        if (published !== maxBatchRecords) await sleep(pollMs)
      } catch (error) {
        const retryInMs = backoffMs(++failures, backoff)
        logger.warn(
          { event: 'movement_publishing_failed', error, retryInMs },
          'failed to publish stock movements, retrying'
        )
        await sleep(retryInMs)
      }
    }
  }

  const running = run()
  return {
    wake() {
      isDue = true
      sleeping.abort()
    },
    async stop() {
      stopping.abort()
      sleeping.abort()
      await running
    }
  }
}

/** Publishes the movements of the queue to a topic until the service stops. */
export async function startMovementPublishing(
  { metrics, logger, onStop }: Pick<ServiceContext<unknown>, 'metrics' | 'logger' | 'onStop'>,
  { queue, connection, topic }: { queue: MovementQueue; connection: KafkaConnection; topic: Topic<StockMoved> }
): Promise<MovementPublishing> {
  const producer = await createProducer(connection, { deliveryTimeoutMs })
  onStop('producer', () => producer.close())
  const publish = (movements: readonly StockMoved[]) =>
    producer.send(movements.map(movement => movementRecord(topic, movement, newTraceparent())))
  const publishing = publishMovements({ queue, publish, metrics, logger })
  onStop('movements', () => publishing.stop())
  return publishing
}

/**
 * Creates the record of a movement. Its key is the SKU, which keeps the movements of a SKU in
 * order; its event id is stable.
 */
function movementRecord(topic: Topic<StockMoved>, movement: StockMoved, traceparent: string): OutputRecord {
  return {
    topic: topic.name,
    key: movement.sku,
    value: topic.codec.encode(movement),
    headers: eventHeaders(topic, movement.movementID, traceparent)
  }
}

/**
 * Wraps stock operations so that each change wakes the publisher instead of waiting for its next
 * poll.
 */
export function publishingAtOnce(stock: StockAdmin, { wake }: Pick<MovementPublishing, 'wake'>): StockAdmin {
  const waking =
    <Given extends unknown[], Result>(method: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      const result = await method(...given)
      wake()
      return result
    }
  return { ...stock, set: waking(stock.set), adjust: waking(stock.adjust) }
}
