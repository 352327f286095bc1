import type { OrderCreated, OrderRate } from '@orderly/contracts'
import type { OutputRecord, Stage, Topic } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { CountSummary } from '../domain/count-orders.ts'
import { checkOrderTime } from '../domain/order-time.ts'
import { toOrderRate, type Window } from '../domain/window.ts'
import { kafkaUses } from '../kafka-uses.ts'
import type { RateStore } from '../store/rate-store.ts'

export interface RateStageParts {
  readonly ordersCreated: Topic<OrderCreated>
  readonly store: RateStore
  readonly publishEveryMs: number
  readonly toRecord: (rate: OrderRate, traceparent: string) => OutputRecord
  readonly onCounted?: (summary: CountSummary, durationMs: number) => void
  readonly onPublished?: (windows: readonly Window[]) => void
  readonly onComplete?: (completeUntilMs: number | undefined) => void
}

const maxWindowsAtOnce = 1_000
/** Who owns this partition publishes. */
const publishersPartition = 0

/**
 * Orders in, counted in the store; what changed there goes out with the ticks.
 *
 * Counting: the store commits before Kafka does and knows what it has counted, so a batch that comes again counts nothing.
 *
 * Publishing: only the owner of one partition does it, for all. Owners of a partition write one after the other, and each
 * reads the newest revision first, so revisions of a window never go down in the topic, and nothing follows its final record
 * but a later revision. A revision counts as published when its commit is known; until then it is written again, the same.
 */
export function rateStage(parts: RateStageParts): Stage<OrderCreated> {
  const { ordersCreated, store, publishEveryMs, toRecord, onCounted, onPublished, onComplete } = parts
  let underWay: readonly Window[] = []

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
        const completeUntilMs = await store.settle()
        onComplete?.(completeUntilMs)
        underWay = await store.unpublished(maxWindowsAtOnce)
        const traceparent = newTraceparent()
        return underWay.map(window => toRecord(toOrderRate(window), traceparent))
      },
      async committed() {
        await store.markPublished(underWay)
        onPublished?.(underWay)
      }
    }
  }
}
