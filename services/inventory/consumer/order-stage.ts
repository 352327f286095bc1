import {
  callerOf,
  type OrderChangeRequested,
  type OrderCreated,
  settlementName,
  type Topics,
  toRecord
} from '@orderly/contracts'
import type { OutputRecord, Stage, StageRecord, StageTick, Topic } from '@orderly/kafka'
import { childTraceparent } from '@orderly/service-kit'
import { type ChangeToDecide, toChange } from '../domain/change.ts'
import type { DecidedBatch, DecidedOrder } from '../domain/decide-batch.ts'
import type { DecidedChange, Settlement } from '../domain/decide-change.ts'
import type { Outcome } from '../domain/decide-order.ts'
import { checkOrder, type OrderToDecide } from '../domain/order.ts'
import { kafkaUses } from '../kafka-access.ts'
import type { StockStore } from '../store/stock-store.ts'

export type OrderEvent = OrderCreated | OrderChangeRequested

/** A decided order of a batch, with the trace context for its outcome. */
export interface HandledOrder extends DecidedOrder {
  readonly record: StageRecord<OrderCreated>
  readonly traceparent: string
}

export interface HandledChange extends DecidedChange {
  readonly record: StageRecord<OrderChangeRequested>
  readonly traceparent: string
}

type ResultTopics = Pick<Topics, 'inventoryReserved' | 'inventoryFailed' | 'inventoryConfirmed' | 'inventoryReleased'>

export interface OrderStageOptions {
  readonly topics: Pick<Topics, 'ordersCreated' | 'ordersChanges'> & ResultTopics
  readonly store: Pick<StockStore, 'decide'>
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
export function orderStage({ topics, store, tick, onDecided, onChanged }: OrderStageOptions): Stage<OrderEvent> {
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
        ...handled.orders.map(({ outcome, traceparent }) => resultRecord(topics, outcome, traceparent)),
        ...handled.changes.flatMap(({ settlement, traceparent }) =>
          settlement === undefined ? [] : [resultRecord(topics, settlement, traceparent)]
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

/** Creates the record of a result for the topic of its kind, with the record key of the order. */
function resultRecord(topics: ResultTopics, result: Outcome | Settlement, traceparent: string): OutputRecord {
  const { caller } = result
  switch (result.kind) {
    case 'reserved':
      return toRecord(topics.inventoryReserved, result.event, traceparent, { caller })
    case 'failed':
      return toRecord(topics.inventoryFailed, result.event, traceparent, { caller })
    case 'confirmed':
      return toRecord(topics.inventoryConfirmed, result.event, traceparent, {
        about: settlementName(result.event),
        caller
      })
    case 'released':
      return toRecord(topics.inventoryReleased, result.event, traceparent, {
        about: settlementName(result.event),
        caller
      })
  }
}
