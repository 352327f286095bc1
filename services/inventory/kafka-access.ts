import type { KafkaAccess } from '@orderly/contracts'

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
  groups: ['inventory'],
  transactionalIDPrefix: 'inventory-'
} as const satisfies KafkaAccess
