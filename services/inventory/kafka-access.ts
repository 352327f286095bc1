import type { KafkaAccess } from '@orderly/contracts'
import { deadLetterTopic } from '@orderly/kafka'

/**
 * The dead letters of Kafka Connect, which no service writes. The inventory counts them: except
 * orders per minute, it already reads or writes every event that they can contain.
 */
export const auditDeadLetterTopic = deadLetterTopic('audit')

/**
 * Topics, groups and transactional ids that the service uses. Its ACLs in `deploy/kafka/acls.json`
 * are generated from them.
 */
export const kafkaUses = {
  topics: [
    {
      ordersCreated: 'read',
      ordersChanges: 'write',
      inventoryReserved: 'write',
      inventoryFailed: 'write',
      inventoryConfirmed: 'write',
      inventoryReleased: 'write',
      stockMovements: 'write'
    },
    { ordersChanges: 'read' }
  ],
  groups: ['orders-created'],
  otherInputs: [auditDeadLetterTopic],
  transactionalIDPrefix: 'inventory-'
} as const satisfies KafkaAccess
