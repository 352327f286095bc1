import { callerOf, type OrderChangeRequested, type OrderCreated } from '@orderly/contracts'
import type { OutputRecord, Stage, StageRecord, StageTick, Topic } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'
import { type ChangeToDecide, toChange } from '../domain/change.ts'
import type { Outcome } from '../domain/decide.ts'
import type { DecidedBatch } from '../domain/decide-batch.ts'
import type { DecidedChange, Settlement } from '../domain/decide-changes.ts'
import type { DecidedOrder } from '../domain/decide-once.ts'
import { checkOrder, type OrderToDecide } from '../domain/order.ts'
import { kafkaUses } from '../kafka-uses.ts'
import type { StockStore } from '../store/stock-store.ts'

export type OrderEvent = OrderCreated | OrderChangeRequested

/** What leaves: an order's outcome, or what became of it later. */
export type Result = Outcome | Settlement

/** One order of a batch, with the trace that its outcome goes on with. */
export interface HandledOrder extends DecidedOrder {
  readonly record: StageRecord<OrderCreated>
  readonly traceparent: string
}

export interface HandledChange extends DecidedChange {
  readonly record: StageRecord<OrderChangeRequested>
  readonly traceparent: string
}

export interface OrderStageParts {
  readonly topics: {
    readonly ordersCreated: Topic<OrderCreated>
    readonly ordersChanges: Topic<OrderChangeRequested>
  }
  readonly store: Pick<StockStore, 'decide'>
  readonly toRecord: (result: Result, traceparent: string) => OutputRecord
  readonly tick?: StageTick
  readonly onDecided?: (orders: readonly HandledOrder[], durationMs: number) => void
  readonly onChanged?: (changes: readonly HandledChange[]) => void
}

/**
 * Orders and changes in, outcomes and what became of them out: one outcome for each order, in the same order, and an event for
 * each change that changed something.
 *
 * The store commits before Kafka does. When the batch comes again, because that commit failed or this process died, the
 * store repeats what it decided, and the same events are written.
 */
export function orderStage({
  topics,
  store,
  toRecord,
  tick,
  onDecided,
  onChanged
}: OrderStageParts): Stage<OrderEvent> {
  const { ordersCreated, ordersChanges } = topics
  const isOrder = (record: StageRecord<OrderEvent>): record is StageRecord<OrderCreated> =>
    record.topic === ordersCreated.name
  const isChange = (record: StageRecord<OrderEvent>): record is StageRecord<OrderChangeRequested> =>
    record.topic === ordersChanges.name

  return {
    name: 'inventory',
    group: kafkaUses.groups[0],
    inputs: [ordersCreated, ordersChanges] as Topic<OrderEvent>[],
    ...(tick && { tick }),
    async process(records, { positions }) {
      const orderRecords = records.filter(isOrder)
      const changeRecords = records.length === orderRecords.length ? [] : records.filter(isChange)
      const orders = orderRecords.map(orderOf)
      // All of them before any is decided: the stage parks the wrong one, and nothing of it has reached the store.
      for (const order of orders) checkOrder(order)
      const changes = changeRecords.map(changeOf)
      const startMs = performance.now()
      const decided = await store.decide({ orders, changes }, positions)
      const durationMs = performance.now() - startMs
      const handled = handle(orderRecords, changeRecords, decided)
      onDecided?.(handled.orders, durationMs)
      if (handled.changes.length > 0) onChanged?.(handled.changes)
      return [
        ...handled.orders.map(({ outcome, traceparent }) => toRecord(outcome, traceparent)),
        ...handled.changes.flatMap(({ settlement, traceparent }) =>
          settlement === undefined ? [] : [toRecord(settlement, traceparent)]
        )
      ]
    }
  }
}

function orderOf({ event, headers }: StageRecord<OrderCreated>): OrderToDecide {
  const caller = callerOf(headers)
  return caller === undefined ? event : { ...event, caller }
}

function changeOf(record: StageRecord<OrderChangeRequested>): ChangeToDecide {
  const { event, headers, topicID, partition, offset } = record
  return toChange(event, callerOf(headers), { topicID, partition, offset: Number(offset) })
}

function handle(
  orders: readonly StageRecord<OrderCreated>[],
  changes: readonly StageRecord<OrderChangeRequested>[],
  decided: DecidedBatch
): { readonly orders: readonly HandledOrder[]; readonly changes: readonly HandledChange[] } {
  return {
    orders: orders.map((record, index) => ({ ...(decided.orders[index] as DecidedOrder), ...goOnWith(record) })),
    changes: changes.map((record, index) => ({ ...(decided.changes[index] as DecidedChange), ...goOnWith(record) }))
  }
}

function goOnWith<Event>(record: StageRecord<Event>) {
  return { record, traceparent: childTraceparent(record.headers.text('traceparent')) }
}
