import type { OrderCreated } from '@orderly/contracts'
import type { OutputRecord, Stage, StageRecord, Topic } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'
import type { Outcome } from '../domain/decide.ts'
import type { DecidedOrder } from '../domain/decide-once.ts'
import { checkOrder } from '../domain/order.ts'
import { kafkaUses } from '../kafka-uses.ts'
import type { StockStore } from '../store/stock-store.ts'

/** One order of a batch, with the trace that its outcome goes on with. */
export interface HandledOrder extends DecidedOrder {
  readonly record: StageRecord<OrderCreated>
  readonly traceparent: string
}

export interface OrderStageParts {
  readonly ordersCreated: Topic<OrderCreated>
  readonly store: Pick<StockStore, 'decide'>
  readonly toRecord: (outcome: Outcome, traceparent: string) => OutputRecord
  readonly onDecided?: (orders: readonly HandledOrder[], durationMs: number) => void
}

/**
 * Orders in, outcomes out, one for each and in the same order.
 *
 * The store commits before Kafka does. When the batch comes again, because that commit failed or this process died, the
 * store repeats the outcomes, and the same events are written.
 */
export function orderStage({ ordersCreated, store, toRecord, onDecided }: OrderStageParts): Stage<OrderCreated> {
  return {
    name: 'inventory',
    group: kafkaUses.groups[0],
    inputs: [ordersCreated],
    async process(records) {
      const orders = records.map(({ event }) => event)
      // All of them before any is decided: the stage parks the wrong one, and nothing of it has reached the store.
      for (const order of orders) checkOrder(order)
      const startMs = performance.now()
      const decided = await store.decide(orders)
      const durationMs = performance.now() - startMs
      const handled = records.map((record, index): HandledOrder => {
        const { outcome, isReplay } = decided[index] as DecidedOrder
        return { record, outcome, isReplay, traceparent: childTraceparent(record.headers.traceparent) }
      })
      const outputs = handled.map(({ outcome, traceparent }) => toRecord(outcome, traceparent))
      onDecided?.(handled, durationMs)
      return outputs
    }
  }
}
