import type { KafkaAccess } from '@orderly/contracts'

/**
 * Topics, groups and transactional ids that the service uses. Its ACLs in `deploy/kafka/acls.json`
 * are generated from them.
 */
export const kafkaUses = {
  topics: [{ ordersCreated: 'read', orderRate: 'write' }],
  groups: ['order-rate'],
  transactionalIDPrefix: 'aggregator-'
} as const satisfies KafkaAccess
