import type { KafkaUses } from '@orderly/contracts'

/** What this service does on Kafka. What it may do there follows from it: `deploy/kafka/acls.json`. */
export const kafkaUses = {
  topics: [{ ordersCreated: 'read', orderRate: 'write' }],
  groups: ['order-rate'],
  transactionalIDPrefix: 'aggregator-'
} as const satisfies KafkaUses
