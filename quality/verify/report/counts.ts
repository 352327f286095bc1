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
  /** Orders in `orders.created`. */
  readonly stored: number
  readonly reserved: number
  readonly failed: number
  readonly confirmed: number
  readonly released: number
  /** Dead letters of `orders.created`: poison records and records of blocked keys. */
  readonly deadLettered: number
  readonly poison: number
  readonly deadLetteredChanges: number
  readonly poisonedChanges: number
  readonly notifications: number
  /** Distinct events with at least one notification. */
  readonly notifiedEvents: number
  /** Attempts to deliver to the webhook endpoint. */
  readonly webhooks: number
  /** Number of attempts not answered with 200, by answer. */
  readonly webhookFailures: Readonly<Record<string, number>>
  /** Distinct events that the endpoint accepted. */
  readonly webhookEvents: number
  /** Distinct pairs of target and event whose delivery is exhausted. */
  readonly exhausted: number
}

/** Excludes dead letters of other stages, which write their own ones for the same topics. */
const isOfInventory = ({ headers }: RecordedRecord): boolean => headers['dlq-stage'] === 'inventory'

export function countOrders({ requests, records, notifications, poison, webhooks }: History): OrderCounts {
  const results = (kind: string) => requests.filter(({ result }) => result.kind === kind).length
  const poisonIn = (topic: string) => poison.filter(record => record.topic === topic).length
  const deadLetteredFrom = (topic: string) => visible(deadLetterTopic(topic)).filter(isOfInventory).length
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
    deadLettered: deadLetteredFrom(topicNames.ordersCreated),
    poison: poisonIn(topicNames.ordersCreated),
    deadLetteredChanges: deadLetteredFrom(topicNames.ordersChanges),
    poisonedChanges: poisonIn(topicNames.ordersChanges),
    notifications: notifications.length,
    notifiedEvents: new Set(notifications.map(({ id }) => id)).size,
    ...countWebhooks(webhooks)
  }
}

function countWebhooks(
  { attempts, exhausted }: Pick<Webhooks, 'attempts' | 'exhausted'> = { attempts: [], exhausted: [] }
) {
  const failures = Map.groupBy(
    attempts.filter(({ answer }) => answer !== 200),
    ({ answer }) => String(answer)
  )
  return {
    webhooks: attempts.length,
    webhookFailures: Object.fromEntries([...failures].map(([answer, own]) => [answer, own.length])),
    webhookEvents: new Set(attempts.filter(({ answer }) => isTaken(answer)).map(({ id }) => id)).size,
    exhausted: new Set(exhausted.map(({ id, target }) => `${target} ${id}`)).size
  }
}
