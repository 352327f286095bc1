import type { KafkaUses } from '@orderly/contracts'

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ ordersCreated: 'read', inventoryReserved: 'write', inventoryFailed: 'write' }],
  groups: ['orders-created'],
  transactionalIDPrefix: 'inventory-'
} as const satisfies KafkaUses
