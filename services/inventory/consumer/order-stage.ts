import { callerOf, type OrderChangeRequested, type OrderCreated } from '@orderly/contracts'
import type { OutputRecord, Stage, StageRecord, StageTick, Topic } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'
import { type ChangeToDecide, toChange } from '../domain/change.ts'
import type { Outcome } from '../domain/decide.ts'
import type { DecidedBatch } from '../domain/decide-batch.ts'
import type { DecidedChange, Settlement } from '../domain/decide-changes.ts'
import type { DecidedOrder } from '../domain/decide-once.ts'
import { checkOrder, type OrderToDecide } from '../domain/order.ts'
import { kafkaUses } from '../kafka-access.ts'
import type { StockStore } from '../store/stock-store.ts'

export type OrderEvent = OrderCreated | OrderChangeRequested

/** An event to publish: the outcome of an order or a later settlement. */
export type Result = Outcome | Settlement

/** A decided order of a batch, with the trace context for its outcome. */
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
 * Creates the stage that decides orders and change requests. It publishes one outcome per order, in
 * sequence, and one event per change request that had an effect.
 *
 * The store commits before Kafka does. If the Kafka commit fails or the process dies, the batch is
 * read again; the store then returns its earlier decisions, and the stage writes the same events.
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
      // The whole batch is validated before the store sees it, so that a poison record has no side
      // effects.
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
    orders: orders.map((record, index) => ({ ...(decided.orders[index] as DecidedOrder), ...withChildTrace(record) })),
    changes: changes.map((record, index) => ({
      ...(decided.changes[index] as DecidedChange),
      ...withChildTrace(record)
    }))
  }
}

function withChildTrace<Event>(record: StageRecord<Event>) {
  return { record, traceparent: childTraceparent(record.headers.text('traceparent')) }
}
