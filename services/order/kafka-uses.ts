import type { KafkaUses } from '@orderly/contracts'

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ ordersCreated: 'write' }, { ordersCreated: 'read', inventoryReserved: 'read', inventoryFailed: 'read' }],
  groups: ['order-status'],
  groupPrefixes: ['order-status-rebuild-']
} as const satisfies KafkaUses
