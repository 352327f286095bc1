import { acceptanceTopic, type KafkaUses } from '@orderly/contracts'

/** For `connectTopics`: what the status of orders is made of. */
export const statusTopics = {
  ordersCreated: 'read',
  inventoryReserved: 'read',
  inventoryFailed: 'read',
  inventoryConfirmed: 'read',
  inventoryReleased: 'read'
} as const

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ ordersCreated: 'write', ordersChanges: 'write' }, statusTopics],
  groups: ['order-status'],
  otherInputs: [acceptanceTopic]
} as const satisfies KafkaUses
