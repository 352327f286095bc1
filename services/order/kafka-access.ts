import { acceptanceTopic, type KafkaAccess } from '@orderly/contracts'

/** Topics that the order status is built from, for `connectTopics`. */
export const statusTopics = {
  ordersCreated: 'read',
  inventoryReserved: 'read',
  inventoryFailed: 'read',
  inventoryConfirmed: 'read',
  inventoryReleased: 'read'
} as const

/** Kafka topics and groups that this service uses, the source of `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ ordersCreated: 'write', ordersChanges: 'write' }, statusTopics],
  groups: ['order-status'],
  otherInputs: [acceptanceTopic]
} as const satisfies KafkaAccess
