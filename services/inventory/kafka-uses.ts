import type { KafkaUses } from '@orderly/contracts'

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
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
  transactionalIDPrefix: 'inventory-'
} as const satisfies KafkaUses
