import { topicNames } from '@orderly/contracts'
import { deadLetterTopic, partitionKey, type TopicPartition } from '@orderly/kafka'
import type {
  History,
  NotificationLine,
  OrderRequest,
  OutcomeRow,
  RecordedRecord,
  SettlementRow
} from '../history/history.ts'

export const outcomeTopics: Readonly<Record<string, OutcomeRow['kind']>> = {
  [topicNames.inventoryReserved]: 'reserved',
  [topicNames.inventoryFailed]: 'failed'
}

/** Topics with the settlements of reserved orders. */
export const settlementTopics: Readonly<Record<string, SettlementRow['kind']>> = {
  [topicNames.inventoryConfirmed]: 'confirmed',
  [topicNames.inventoryReleased]: 'released'
}

/** Topics whose events are notified to users. */
export const resultTopics: readonly string[] = [...Object.keys(outcomeTopics), ...Object.keys(settlementTopics)]

/** A dead letter, with the position of its original record according to its headers. */
export interface DeadLetter {
  readonly record: RecordedRecord
  readonly origin: string
  readonly originTopic: string
  /** Stage that wrote it; each stage that reads a topic writes its own dead letters. */
  readonly stage: string
}

/** A history, indexed for the checkers. *Visible* records are those of `read_committed` readers. */
export interface Evidence {
  readonly history: History
  readonly visible: (topic: string) => readonly RecordedRecord[]
  readonly recordAt: ReadonlyMap<string, RecordedRecord>
  /** Visible records of `orders.created` that contain an order. */
  readonly orders: readonly RecordedRecord[]
  readonly ordersByID: ReadonlyMap<string, readonly RecordedRecord[]>
  readonly ordersByTrace: ReadonlyMap<string, readonly RecordedRecord[]>
  /** Visible outcomes of both topics, by order. */
  readonly outcomesByID: ReadonlyMap<string, readonly RecordedRecord[]>
  /** Visible confirmations and releases, by order. */
  readonly settlementsByID: ReadonlyMap<string, readonly RecordedRecord[]>
  /** Visible change requests by order, in log order. */
  readonly changesByID: ReadonlyMap<string, readonly RecordedRecord[]>
  readonly settlementRowsByID: ReadonlyMap<string, readonly SettlementRow[]>
  readonly rowsByID: ReadonlyMap<string, OutcomeRow>
  readonly linesByID: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly requestsByID: ReadonlyMap<string, OrderRequest>
  readonly deadLetters: readonly DeadLetter[]
  /**
   * Dead letters, by original position, of the stage responsible for each topic: the inventory for
   * orders and change requests, the notification service for their results.
   */
  readonly deadLettersByOrigin: ReadonlyMap<string, readonly DeadLetter[]>
  readonly notificationsByID: ReadonlyMap<string, readonly NotificationLine[]>
}

/** Returns the text that identifies the position of a record in maps and messages. */
export const positionKey = (record: TopicPartition & { readonly offset: number }): string =>
  `${partitionKey(record)}/${record.offset}`

export const isVisible = ({ transaction }: RecordedRecord): boolean =>
  transaction === 'none' || transaction === 'committed'

/** Returns the trace id of a record, which is the id of the request that caused it. */
export function traceOf({ headers }: RecordedRecord): string | undefined {
  return headers.traceparent?.split('-')[1]
}

export function collectEvidence(history: History): Evidence {
  const byTopic = Map.groupBy(history.records.filter(isVisible), ({ topic }) => topic)
  for (const records of byTopic.values()) {
    records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
  }
  const visible = (topic: string) => byTopic.get(topic) ?? []
  const orders = visible(topicNames.ordersCreated).filter(({ event }) => event !== undefined)
  const byOrder = (topics: readonly string[]) =>
    Map.groupBy(
      topics.flatMap(visible).filter(({ event }) => event !== undefined),
      ({ event }) => event?.orderID ?? ''
    )
  const deadLetters = [topicNames.ordersCreated, topicNames.ordersChanges, ...resultTopics].flatMap(topic =>
    visible(deadLetterTopic(topic)).map(record => toDeadLetter(record, topic))
  )
  const lines = Map.groupBy(history.tables.reservationLines, ({ orderID }) => orderID)
  return {
    history,
    visible,
    recordAt: new Map(history.records.map(record => [positionKey(record), record])),
    orders,
    ordersByID: Map.groupBy(orders, ({ event }) => event?.orderID ?? ''),
    ordersByTrace: Map.groupBy(orders, record => traceOf(record) ?? ''),
    outcomesByID: byOrder(Object.keys(outcomeTopics)),
    settlementsByID: byOrder(Object.keys(settlementTopics)),
    changesByID: byOrder([topicNames.ordersChanges]),
    settlementRowsByID: Map.groupBy(history.tables.settlements, ({ orderID }) => orderID),
    rowsByID: new Map(history.tables.outcomes.map(row => [row.orderID, row])),
    linesByID: new Map([...lines].map(([orderID, own]) => [orderID, sumBySKU(own)])),
    requestsByID: new Map(history.requests.map(request => [request.id, request])),
    deadLetters,
    deadLettersByOrigin: Map.groupBy(
      deadLetters.filter(({ stage, originTopic }) => stage === decidingStage(originTopic)),
      ({ origin }) => origin
    ),
    notificationsByID: Map.groupBy(history.notifications, ({ id }) => id)
  }
}

function decidingStage(topic: string): string {
  return topic.startsWith('orders.') ? 'inventory' : 'notification'
}

/** Does not use the header names of packages/kafka on purpose: a wrong name there must be found here. */
function toDeadLetter(record: RecordedRecord, topic: string): DeadLetter {
  const { 'dlq-topic': originTopic = topic, 'dlq-partition': partition, 'dlq-offset': offset } = record.headers
  const stage = record.headers['dlq-stage'] ?? ''
  const source = { topic: originTopic, partition: Number(partition), offset: Number(offset) }
  return { record, originTopic, stage, origin: positionKey(source) }
}

/** Returns the total quantity of each SKU over several lines. */
export function sumBySKU(
  lines: readonly { readonly sku: string; readonly quantity: number }[]
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return sums
}

export function isSameDemand(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([sku, quantity]) => b.get(sku) === quantity)
}

export function describeDemand(demand: ReadonlyMap<string, number>): string {
  return [...demand].map(([sku, quantity]) => `${quantity} × ${sku}`).join(', ') || 'nothing'
}
