import { eventHeaders, type OrderCreated, type OrderRate } from '@orderly/contracts'
import type { OutputRecord, Stage, Topic } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { CountSummary } from '../domain/count-orders.ts'
import { checkOrderTime, toOrderRate, type Window, windowKey } from '../domain/window.ts'
import { kafkaUses } from '../kafka-access.ts'
import type { RateStore } from '../store/rate-store.ts'

export interface RateStageOptions {
  readonly ordersCreated: Topic<OrderCreated>
  readonly orderRate: Topic<OrderRate>
  readonly store: RateStore
  readonly publishEveryMs: number
  readonly onCounted?: (summary: CountSummary, durationMs: number) => void
  readonly onPublished?: (windows: readonly Window[]) => void
  readonly onComplete?: (completeUntilMs: number | undefined) => void
}

const maxWindowsAtOnce = 1_000
/** Partition whose owner publishes. */
const publishersPartition = 0

/**
 * Creates the stage that counts orders in the store and publishes changed windows with its ticks.
 *
 * Counting: the store commits before Kafka does and stores which offsets it has counted, so a batch
 * that is read again adds nothing.
 *
 * Publishing: the owner of one partition publishes the windows of all partitions. Successive owners
 * write one after the other, and each reads the newest revision first. So revisions of a window
 * never decrease in the topic, and only later revisions follow its final record. A revision is
 * marked as published once its commit is known; until then the same revision is written again.
 */
export function rateStage(options: RateStageOptions): Stage<OrderCreated> {
  const { ordersCreated, orderRate, store, publishEveryMs, onCounted, onPublished, onComplete } = options
  let publishing: readonly Window[] = []

  return {
    name: 'order-rate',
    group: kafkaUses.groups[0],
    inputs: [ordersCreated],
    async process(records, { positions }) {
      for (const { event } of records) checkOrderTime(event.createdAtMs)
      const startMs = performance.now()
      const summary = await store.count(
        records.map(({ partition, offset, topicID, timestampMs, event }) => ({
          partition,
          offset: Number(offset),
          topicID,
          createdAtMs: event.createdAtMs,
          writtenAtMs: timestampMs
        })),
        positions
      )
      onCounted?.(summary, performance.now() - startMs)
      return []
    },
    tick: {
      everyMs: publishEveryMs,
      tracksCompleteness: true,
      async run({ partitions, partitionCounts }) {
        await store.noteComplete(
          partitionCounts.get(ordersCreated.name) ?? 0,
          partitions.flatMap(({ partition, completeUntilMs }) =>
            completeUntilMs === undefined ? [] : [{ partition, completeUntilMs }]
          )
        )
        if (!partitions.some(({ partition }) => partition === publishersPartition)) return []
        const completeUntilMs = await store.makeFinal()
        onComplete?.(completeUntilMs)
        publishing = await store.unpublished(maxWindowsAtOnce)
        const traceparent = newTraceparent()
        return publishing.map(window => rateRecord(orderRate, toOrderRate(window), traceparent))
      },
      async committed() {
        await store.markPublished(publishing)
        onPublished?.(publishing)
      }
    }
  }
}

/**
 * Creates the record of a rate. Its key is the window, so that compaction keeps the newest
 * revision; the event id of a revision is stable.
 */
function rateRecord(orderRate: Topic<OrderRate>, rate: OrderRate, traceparent: string): OutputRecord {
  const key = windowKey(rate.windowStartMs)
  return {
    topic: orderRate.name,
    key,
    value: orderRate.codec.encode(rate),
    headers: eventHeaders(orderRate, `${key}-${rate.revision}`, traceparent)
  }
}
