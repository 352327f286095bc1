import type { KafkaUses } from '@orderly/contracts'

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ inventoryReserved: 'read', inventoryFailed: 'read' }],
  groups: ['notifications'],
  otherTopics: ['notifications.dlq']
} as const satisfies KafkaUses
