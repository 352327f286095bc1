import type { KafkaUses } from '@orderly/contracts'

/** For `connectTopics`: what users are told of. */
export const resultTopics = {
  inventoryReserved: 'read',
  inventoryFailed: 'read',
  inventoryConfirmed: 'read',
  inventoryReleased: 'read'
} as const

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [resultTopics],
  groups: ['notifications'],
  otherTopics: ['notifications.dlq']
} as const satisfies KafkaUses
