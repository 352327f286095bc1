import { type KafkaAccess, topicNames } from '@orderly/contracts'
import { deadLetterTopic, type Grant } from '@orderly/kafka'
import { kafkaUses as aggregator } from '../../services/aggregator/kafka-access.ts'
import { kafkaUses as inventory } from '../../services/inventory/kafka-access.ts'
import { kafkaUses as notification } from '../../services/notification/kafka-access.ts'
import { kafkaUses as order } from '../../services/order/kafka-access.ts'
import { auditGrants, grantsOf, monitorGrants, operatorGrants, provisionerGrants, scalerGrants } from './grants.ts'

export const servicePrincipals: Readonly<Record<string, KafkaAccess>> = { order, inventory, notification, aggregator }

/**
 * Every topic that is created before the services start, except those that Kafka Connect creates.
 */
export const provisionedTopics: readonly string[] = [
  ...new Set([
    ...Object.values(topicNames).flatMap(name => [name, deadLetterTopic(name)]),
    ...Object.values(servicePrincipals).flatMap(({ otherTopics = [], otherInputs = [] }) => [
      ...otherTopics,
      ...otherInputs
    ]),
    deadLetterTopic('audit')
  ])
]

/**
 * Grants of all principals: one per service, Kafka Connect, the provisioner of topics, the monitor,
 * the command line (`operator`) and the autoscaler.
 */
export const grants: readonly Grant[] = [
  ...Object.entries(servicePrincipals).flatMap(([name, uses]) => grantsOf(name, uses)),
  ...auditGrants('audit'),
  ...provisionerGrants('provisioner', provisionedTopics),
  ...monitorGrants('monitor'),
  ...operatorGrants(
    'operator',
    provisionedTopics,
    Object.values(servicePrincipals).flatMap(({ groups }) => groups)
  ),
  ...scalerGrants('scaler')
]
