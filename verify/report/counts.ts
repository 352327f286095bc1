import { topicNames } from '@orderly/contracts'
import { deadLetterTopic } from '@orderly/kafka'
import { isVisible } from '../checker/evidence.ts'
import type { History, RecordedRecord, Webhooks } from '../history/history.ts'
import { isTaken } from '../plan/webhook-answers.ts'

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
  /** Orders and poison among them. */
  readonly parked: number
  readonly poison: number
  readonly parkedChanges: number
  readonly poisonedChanges: number
  readonly notifications: number
  /** Different events that somebody was told of. */
  readonly notifiedEvents: number
  /** Attempts to tell an endpoint. */
  readonly webhooks: number
  /** Those that it did not answer with 200, by what it did instead. */
  readonly webhookFailures: Readonly<Record<string, number>>
  /** Different events that it took. */
  readonly webhookEvents: number
  /** Different events that some target did not get. */
  readonly givenUp: number
}

/** Other stages that read orders park for themselves. */
const isOfInventory = ({ headers }: RecordedRecord): boolean => headers['dlq-stage'] === 'inventory'

export function countOrders({ requests, records, notifications, poison, webhooks }: History): OrderCounts {
  const results = (kind: string) => requests.filter(({ result }) => result.kind === kind).length
  const poisonIn = (topic: string) => poison.filter(record => record.topic === topic).length
  const parkedFrom = (topic: string) => visible(deadLetterTopic(topic)).filter(isOfInventory).length
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
    parked: parkedFrom(topicNames.ordersCreated),
    poison: poisonIn(topicNames.ordersCreated),
    parkedChanges: parkedFrom(topicNames.ordersChanges),
    poisonedChanges: poisonIn(topicNames.ordersChanges),
    notifications: notifications.length,
    notifiedEvents: new Set(notifications.map(({ id }) => id)).size,
    ...countWebhooks(webhooks)
  }
}

function countWebhooks({ attempts, givenUp }: Pick<Webhooks, 'attempts' | 'givenUp'> = { attempts: [], givenUp: [] }) {
  const failures = Map.groupBy(
    attempts.filter(({ answer }) => answer !== 200),
    ({ answer }) => String(answer)
  )
  return {
    webhooks: attempts.length,
    webhookFailures: Object.fromEntries([...failures].map(([answer, own]) => [answer, own.length])),
    webhookEvents: new Set(attempts.filter(({ answer }) => isTaken(answer)).map(({ id }) => id)).size,
    givenUp: new Set(givenUp.map(({ id, target }) => `${target} ${id}`)).size
  }
}
