import {
  callerOf,
  type InventoryConfirmed,
  type InventoryFailed,
  type InventoryReleased,
  type InventoryReserved,
  type OrderCreated,
  type Topics
} from '@orderly/contracts'
import type { Stage, StageRecord, Topic } from '@orderly/kafka'
import { traceFields } from '@orderly/service-kit'
import { type OrderChange, withoutNulls } from '../domain/order-change.ts'
import { kafkaUses, type statusTopics } from '../kafka-access.ts'
import type { OrderStore } from '../store/order-store.ts'

export type OrderEvent = OrderCreated | InventoryReserved | InventoryFailed | InventoryConfirmed | InventoryReleased

export interface StatusStageOptions {
  readonly topics: Pick<Topics, keyof typeof statusTopics>
  readonly store: Pick<OrderStore, 'apply'>
}

/** Creates the stage of the projection, which stores the order status from the topics. */
export function statusStage({ topics, store }: StatusStageOptions): Stage<OrderEvent> {
  const toChange = orderChanges(topics)
  return {
    name: kafkaUses.groups[0],
    group: kafkaUses.groups[0],
    inputs: Object.values(topics) as Topic<OrderEvent>[],
    async process(records, { positions }) {
      await store.apply(records.map(toChange), positions)
      return []
    }
  }
}

/** Returns the function that converts a record of any of these topics. */
export function orderChanges(topics: StatusStageOptions['topics']): (record: StageRecord<OrderEvent>) => OrderChange {
  const { ordersCreated, inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } = topics
  const readers = new Map<string, (record: StageRecord<never>) => OrderChange>([
    [ordersCreated.name, creationOf],
    [inventoryReserved.name, reservationOf],
    [inventoryFailed.name, failureOf],
    [inventoryConfirmed.name, confirmationOf],
    [inventoryReleased.name, releaseOf]
  ])
  return record => (readers.get(record.topic) ?? unknownTopic)(record as never)
}

function creationOf(record: StageRecord<OrderCreated>): OrderChange {
  const { event, headers } = record
  const { orderID, userID, createdAtMs, items, ...content } = event
  const caller = callerOf(headers)
  const { traceID } = traceFields(headers.text('traceparent'))
  return {
    orderID,
    userID,
    created: {
      ...withoutNulls(content),
      items: items.map(({ sku, quantity }) => ({ sku, quantity })),
      acceptedAtMs: createdAtMs,
      ...(traceID !== undefined && { traceID }),
      ...(caller !== undefined && { caller }),
      ...positionOf(record)
    }
  }
}

function reservationOf(record: StageRecord<InventoryReserved>): OrderChange {
  const { orderID, userID, decidedAtMs, holdUntilMs } = record.event
  const hold = holdUntilMs === null ? {} : { holdUntilMs }
  return { orderID, userID, decided: { kind: 'reserved', decidedAtMs, ...hold, ...positionOf(record) } }
}

function failureOf(record: StageRecord<InventoryFailed>): OrderChange {
  const { orderID, userID, reason, decidedAtMs } = record.event
  const shortages = record.event.shortages.map(({ sku, requested, available, reason: why }) => {
    return { sku, requested, available, reason: why }
  })
  return { orderID, userID, decided: { kind: 'failed', decidedAtMs, reason, shortages, ...positionOf(record) } }
}

function confirmationOf(record: StageRecord<InventoryConfirmed>): OrderChange {
  const { orderID, userID, confirmedAtMs, requestID } = record.event
  return { orderID, userID, confirmed: { confirmedAtMs, requestID, ...positionOf(record) } }
}

function releaseOf(record: StageRecord<InventoryReleased>): OrderChange {
  const { orderID, userID, cause, releasedAtMs, requestID } = record.event
  return { orderID, userID, released: { cause, releasedAtMs, requestID, ...positionOf(record) } }
}

function positionOf({ partition, offset, topicID }: Pick<StageRecord<unknown>, 'partition' | 'offset' | 'topicID'>) {
  return { partition, offset: Number(offset), topicID }
}

function unknownTopic({ topic }: StageRecord<unknown>): never {
  throw new Error(`unexpected topic ${topic}: it is not an input of this stage`)
}
