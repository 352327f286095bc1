import type { IKafka } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/Kafka'
import type { IKafkaNodePool } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/KafkaNodePool'
import type { IKafkaTopic } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/KafkaTopic'
import type { IKafkaUser } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/KafkaUser'
import { brokerRetention, topicConfig } from '@orderly/contracts'
import type { Grant } from '@orderly/kafka'
import { grants, provisionedTopics } from '../kafka/principals.ts'
import { type Manifest, metricsConfig, metricsOf, restrictedContainer, restrictedPod, spread } from './manifest.ts'
import { partitions } from './services.ts'

export const cluster = 'orderly'
/**
 * The only version of Strimzi 1.0 to 1.2 that lacks the defect of 4.3; none of them runs 4.2.2, the
 * version of the launcher and the compose file
 * (docs/decisions/0035-run-kafka-4.2-because-4.3-loses-commit-markers.md).
 */
export const kafkaVersion = '4.2.0'
const apiVersion = 'kafka.strimzi.io/v1'
const labels = { 'strimzi.io/cluster': cluster }
/** Labels of the brokers' pods. */
export const brokerPods = { 'strimzi.io/cluster': cluster, 'strimzi.io/name': `${cluster}-kafka` }
type Acl = NonNullable<NonNullable<NonNullable<IKafkaUser['spec']>['authorization']>['acls']>[number]

/**
 * Returns Strimzi's resources: the cluster, every topic, and a user with minimal grants for each
 * principal.
 */
export function kafkaManifests(): Manifest[] {
  const users = Map.groupBy(grants, ({ principal }) => principal)
  return [
    nodePool(),
    kafka(),
    metricsOf('kafka'),
    ...provisionedTopics.map(topic),
    // Strimzi creates the topics, so the provisioner is not needed.
    ...[...users].filter(([name]) => name !== 'provisioner').map(([name, own]) => user(name, own))
  ]
}

function nodePool(): IKafkaNodePool {
  return {
    apiVersion,
    kind: 'KafkaNodePool',
    metadata: { name: 'brokers', labels },
    spec: {
      replicas: 3,
      roles: ['controller', 'broker'],
      resources: { requests: { cpu: '500m', memory: '2Gi' }, limits: { memory: '2Gi' } },
      storage: {
        type: 'jbod',
        volumes: [{ id: 0, type: 'persistent-claim', size: '50Gi', deleteClaim: false, kraftMetadata: 'shared' }]
      },
      template: {
        // Two brokers on one node would be lost together.
        pod: { securityContext: restrictedPod, topologySpreadConstraints: spread(brokerPods, 'DoNotSchedule') },
        kafkaContainer: restrictedContainer
      }
    }
  }
}

function kafka(): IKafka {
  return {
    apiVersion,
    kind: 'Kafka',
    metadata: { name: cluster },
    spec: {
      kafka: {
        version: kafkaVersion,
        listeners: [
          { name: 'secure', port: 9093, type: 'internal', tls: true, authentication: { type: 'scram-sha-512' } }
        ],
        authorization: { type: 'simple' },
        config: {
          'auto.create.topics.enable': false,
          'default.replication.factor': 3,
          'min.insync.replicas': 2,
          'offsets.topic.replication.factor': 3,
          'transaction.state.log.replication.factor': 3,
          'transaction.state.log.min.isr': 2,
          'transaction.abort.timed.out.transaction.cleanup.interval.ms': 2000,
          'add.partitions.to.txn.retry.backoff.ms': 1,
          ...brokerRetention
        },
        metricsConfig: metricsConfig('kafka')
      },
      entityOperator: {
        ...{ topicOperator: {}, userOperator: {} },
        template: {
          pod: { securityContext: restrictedPod },
          topicOperatorContainer: restrictedContainer,
          userOperatorContainer: restrictedContainer
        }
      }
    }
  }
}

function topic(name: string): IKafkaTopic {
  return {
    apiVersion,
    kind: 'KafkaTopic',
    metadata: { name, labels },
    spec: { topicName: name, partitions, replicas: 3, config: { 'min.insync.replicas': 2, ...topicConfig(name) } }
  }
}

function user(name: string, own: readonly Grant[]): IKafkaUser {
  return {
    apiVersion,
    kind: 'KafkaUser',
    metadata: { name, labels },
    spec: { authentication: { type: 'scram-sha-512' }, authorization: { type: 'simple', acls: own.map(toAcl) } }
  }
}

function toAcl({ resource, name, pattern, operations }: Grant): Acl {
  return {
    resource: resourceOf(resource, name, pattern),
    operations: operations.map(
      operation => (operation.charAt(0).toUpperCase() + operation.slice(1)) as NonNullable<Acl['operations']>[number]
    )
  }
}

function resourceOf(resource: Grant['resource'], name: string, patternType: Grant['pattern']): Acl['resource'] {
  if (resource === 'cluster') return { type: 'cluster' }
  return { type: resource === 'transactionalID' ? 'transactionalId' : resource, name, patternType }
}
