import type { KafkaAccess } from '@orderly/contracts'

/** Topics whose events users are notified about; argument of `connectTopics`. */
export const resultTopics = {
  inventoryReserved: 'read',
  inventoryFailed: 'read',
  inventoryConfirmed: 'read',
  inventoryReleased: 'read'
} as const

/**
 * Kafka resources that this service uses. The ACLs in `deploy/kafka/acls.json` are generated from
 * it.
 */
export const kafkaUses = {
  topics: [resultTopics],
  groups: ['notifications'],
  otherTopics: ['notifications.dlq'],
  otherInputs: ['notifications.dlq']
} as const satisfies KafkaAccess
