import { deadLetterTopicConfig, isDeadLetterTopic, keepsEverything } from '@orderly/kafka'
import { acceptanceTopic } from './acceptance.ts'
import { topicNames } from './topics.ts'

/**
 * Retention of all data. Topics, brokers and the defaults of services use this table, and `orderly
 * doctor` compares a cluster with it (docs/decisions/0051). Constraints:
 *
 * - Group offsets must outlive the records of the topics. A group without offsets would process
 *   committed records again.
 * - The delivery table must outlive the records. An outcome that is read again would be notified
 *   twice.
 * - Brokers must keep producer ids for longer than the 12 hours in which an order may be retried
 *   with its sequence reservation.
 * - Outcomes (`inventory.orders`) and settlements are kept forever, like dead letters, which may be
 *   replayed after years.
 */
const dayMs = 86_400_000

export const retention = {
  eventsMs: 30 * dayMs,
  deliveryDays: 37,
  minuteDays: 30,
  keyHours: 24
} as const

/** Settings of every broker, with their smallest safe values. */
export const brokerRetention = {
  'offsets.retention.minutes': retention.eventsMs / 60_000,
  'producer.id.expiration.ms': dayMs
} as const satisfies Readonly<Record<string, number>>

/** Topic with the audit log of dead-letter operations. */
export const operationLogTopic = 'dlq.operations'

type TopicConfig = Readonly<Record<string, string>>

/**
 * Kafka's default, set explicitly: in a cluster with another default, a topic must not accept more
 * than its dead-letter topic.
 */
const largestBatch: TopicConfig = { 'max.message.bytes': '1048588' }

const events: TopicConfig = {
  'cleanup.policy': 'delete',
  'retention.ms': String(retention.eventsMs),
  'retention.bytes': '-1'
}

const ownConfigs: Readonly<Record<string, TopicConfig>> = {
  // An order can be appended long after its record was created. A reader that counts by time must
  // know
  // that no older record follows: docs/decisions/0040.
  [topicNames.ordersCreated]: { ...events, 'message.timestamp.type': 'LogAppendTime' },
  // A rebuild of the stock reads all movements: docs/decisions/0067.
  [topicNames.stockMovements]: keepsEverything,
  [operationLogTopic]: keepsEverything,
  [acceptanceTopic]: { 'cleanup.policy': 'compact' },
  // Only the newest record of each window counts. Kafka compacts a segment only after it is closed.
  [topicNames.orderRate]: { 'cleanup.policy': 'compact', 'segment.ms': '3600000' }
}

/** Returns the configuration with which a topic is created. */
export function topicConfig(name: string): TopicConfig {
  return isDeadLetterTopic(name) ? deadLetterTopicConfig : { ...largestBatch, ...(ownConfigs[name] ?? events) }
}
