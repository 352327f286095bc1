import { deadLetterTopicConfig, isDeadLetterTopic, keepsEverything } from '@orderly/kafka'
import { acceptanceTopic } from './acceptance.ts'
import { topicNames } from './topics.ts'

/**
 * How long everything is kept: the one table that topics are created from, brokers are started with, services take their defaults
 * from, and `orderly doctor` compares a cluster with (docs/decisions/0051). What must outlive what:
 *
 * - Group offsets outlive the records of the topics. A group without offsets would process records again that are committed.
 * - The ledger of deliveries outlives the records. A result that is read again would notify a second time.
 * - Brokers remember producer ids for longer than the 12 hours in which an order in flight may be retried into its slot.
 * - Outcomes (`inventory.orders`) and settlements are kept for ever, as dead letters are, which may be replayed after years.
 */
const dayMs = 86_400_000

export const retention = {
  eventsMs: 30 * dayMs,
  deliveryDays: 37,
  minuteDays: 30,
  keyHours: 24
} as const

/** Settings of every broker, with the smallest value that is safe. */
export const brokerRetention = {
  'offsets.retention.minutes': retention.eventsMs / 60_000,
  'producer.id.expiration.ms': dayMs
} as const satisfies Readonly<Record<string, number>>

/** Log of what operators do with dead letters. */
export const operationLogTopic = 'dlq.operations'

type TopicConfig = Readonly<Record<string, string>>

/** Kafka's own default, set explicitly: a cluster with another default must not make a topic accept more than its dead-letter topic. */
const largestBatch: TopicConfig = { 'max.message.bytes': '1048588' }

const events: TopicConfig = {
  'cleanup.policy': 'delete',
  'retention.ms': String(retention.eventsMs),
  'retention.bytes': '-1'
}

const ownConfigs: Readonly<Record<string, TopicConfig>> = {
  // An order may reach the topic long after its writer made the record, and a reader that counts by time must know that no older
  // record follows: docs/decisions/0040.
  [topicNames.ordersCreated]: { ...events, 'message.timestamp.type': 'LogAppendTime' },
  // Stock is rebuilt from all movements: docs/decisions/0067.
  [topicNames.stockMovements]: keepsEverything,
  [operationLogTopic]: keepsEverything,
  [acceptanceTopic]: { 'cleanup.policy': 'compact' },
  // The newest record of each window is its figure. A segment is compacted only after it was closed.
  [topicNames.orderRate]: { 'cleanup.policy': 'compact', 'segment.ms': '3600000' }
}

/** Returns the configuration that a topic is created with. */
export function topicConfig(name: string): TopicConfig {
  return isDeadLetterTopic(name) ? deadLetterTopicConfig : { ...largestBatch, ...(ownConfigs[name] ?? events) }
}
