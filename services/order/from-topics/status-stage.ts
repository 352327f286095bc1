import type { InventoryFailed, InventoryReserved, OrderCreated, Topics } from '@orderly/contracts'
import type { Stage, StageRecord, Topic } from '@orderly/kafka'
import { traceFields } from '@orderly/service-kit'
import type { OrderChange } from '../domain/order-change.ts'
import { kafkaUses } from '../kafka-uses.ts'
import type { OrderStore } from '../store/order-store.ts'

export type OrderEvent = OrderCreated | InventoryReserved | InventoryFailed

export interface StatusStageParts {
  readonly topics: Pick<Topics, 'ordersCreated' | 'inventoryReserved' | 'inventoryFailed'>
  readonly store: Pick<OrderStore, 'apply'>
  /** Also names the stage. Members of one group share the work; another group begins at the beginning. */
  readonly group?: string
}

/** The projection: what the topics say about orders, batch by batch into the store. */
export function statusStage({ topics, store, group = kafkaUses.groups[0] }: StatusStageParts): Stage<OrderEvent> {
  const { ordersCreated, inventoryReserved, inventoryFailed } = topics
  const readers = new Map<string, (record: StageRecord<never>) => OrderChange>([
    [ordersCreated.name, creationOf],
    [inventoryReserved.name, reservationOf],
    [inventoryFailed.name, failureOf]
  ])
  return {
    name: group,
    group,
    inputs: [ordersCreated, inventoryReserved, inventoryFailed] as Topic<OrderEvent>[],
    async process(records) {
      await store.apply(records.map(record => (readers.get(record.topic) ?? unknownTopic)(record as never)))
      return []
    }
  }
}

function creationOf({ event, headers, ...record }: StageRecord<OrderCreated>): OrderChange {
  const { orderID, userID, items, totalMinor, currency, createdAtMs } = event
  const { traceID } = traceFields(headers.traceparent)
  const creation = { items: items.map(({ sku, quantity }) => ({ sku, quantity })), totalMinor, currency }
  return {
    orderID,
    userID,
    created: {
      ...creation,
      acceptedAtMs: createdAtMs,
      ...(traceID !== undefined && { traceID }),
      ...placeOf(record)
    }
  }
}

function reservationOf({ event: { orderID, userID, decidedAtMs }, ...record }: StageRecord<InventoryReserved>) {
  return { orderID, userID, decided: { kind: 'reserved' as const, decidedAtMs, ...placeOf(record) } }
}

function failureOf({ event, ...record }: StageRecord<InventoryFailed>): OrderChange {
  const { orderID, userID, reason, decidedAtMs } = event
  const shortages = event.shortages.map(({ sku, requested, available }) => ({ sku, requested, available }))
  return { orderID, userID, decided: { kind: 'failed', decidedAtMs, reason, shortages, ...placeOf(record) } }
}

function placeOf({ partition, offset }: { partition: number; offset: bigint }) {
  return { partition, offset: Number(offset) }
}

function unknownTopic({ topic }: StageRecord<unknown>): never {
  throw new Error(`${topic} is no topic of this stage`)
}
