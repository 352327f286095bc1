import { topicNames } from '@orderly/contracts'
import { deadLetterTopic } from '@orderly/kafka'
import { isVisible } from '../checker/evidence.ts'
import type { History, RecordedRecord } from '../history/history.ts'

export interface OrderCounts {
  readonly placed: number
  readonly accepted: number
  readonly refused: number
  readonly unknown: number
  /** In the topic. */
  readonly stored: number
  readonly reserved: number
  readonly failed: number
  readonly confirmed: number
  readonly released: number
  readonly parked: number
  readonly poison: number
  readonly notifications: number
  /** Different events that somebody was told of. */
  readonly notifiedEvents: number
}

/** Other stages that read orders park for themselves. */
const isOfInventory = ({ headers }: RecordedRecord): boolean => headers['dlq-stage'] === 'inventory'

export function countOrders({ requests, records, notifications, poison }: History): OrderCounts {
  const results = (kind: string) => requests.filter(({ result }) => result.kind === kind).length
  const visible = (topic: string) => records.filter(record => record.topic === topic && isVisible(record))
  return {
    placed: requests.length,
    accepted: results('ok'),
    refused: results('failed'),
    unknown: results('unknown'),
    stored: visible(topicNames.ordersCreated).filter(({ event }) => event !== undefined).length,
    reserved: visible(topicNames.inventoryReserved).length,
    failed: visible(topicNames.inventoryFailed).length,
    confirmed: visible(topicNames.inventoryConfirmed).length,
    released: visible(topicNames.inventoryReleased).length,
    parked: visible(deadLetterTopic(topicNames.ordersCreated)).filter(isOfInventory).length,
    poison: poison.length,
    notifications: notifications.length,
    notifiedEvents: new Set(notifications.map(({ id }) => id)).size
  }
}
