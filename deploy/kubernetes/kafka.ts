import { topicConfigs } from '@orderly/contracts'
import type { Grant } from '@orderly/kafka'
import { grants, provisionedTopics } from '../kafka/principals.ts'
import { type Manifest, partitions } from './services.ts'

const cluster = 'orderly'
const apiVersion = 'kafka.strimzi.io/v1'
const labels = { 'strimzi.io/cluster': cluster }
const resourceTypes = { topic: 'topic', group: 'group', transactionalID: 'transactionalId' } as const

/** Strimzi's resources: the cluster, every topic, and a user with no more than it needs for each principal. */
export function kafkaManifests(): Manifest[] {
  const users = Map.groupBy(grants, ({ principal }) => principal)
  return [
    nodePool(),
    kafka(),
    ...provisionedTopics.map(topic),
    // Strimzi makes the topics; nobody else needs to.
    ...[...users].filter(([name]) => name !== 'provisioner').map(([name, own]) => user(name, own)),
    scaler()
  ]
}

function nodePool(): Manifest {
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
      }
    }
  }
}

function kafka(): Manifest {
  return {
    apiVersion,
    kind: 'Kafka',
    metadata: { name: cluster },
    spec: {
      kafka: {
        version: '4.2.2',
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
          'transaction.abort.timed.out.transaction.cleanup.interval.ms': 2000
        }
      },
      entityOperator: { topicOperator: {}, userOperator: {} }
    }
  }
}

function topic(name: string): Manifest {
  return {
    apiVersion,
    kind: 'KafkaTopic',
    metadata: { name, labels },
    spec: { topicName: name, partitions, replicas: 3, config: { 'min.insync.replicas': 2, ...topicConfigs[name] } }
  }
}

function user(name: string, own: readonly Grant[]): Manifest {
  return {
    apiVersion,
    kind: 'KafkaUser',
    metadata: { name, labels },
    spec: { authentication: { type: 'scram-sha-512' }, authorization: { type: 'simple', acls: own.map(toAcl) } }
  }
}

/** May ask how far groups are, for scaling. */
function scaler(): Manifest {
  const everything = (type: string) => ({
    resource: { type, name: '*', patternType: 'literal' },
    operations: ['Describe']
  })
  return {
    apiVersion,
    kind: 'KafkaUser',
    metadata: { name: 'scaler', labels },
    spec: {
      authentication: { type: 'scram-sha-512' },
      authorization: { type: 'simple', acls: [everything('topic'), everything('group')] }
    }
  }
}

function toAcl({ resource, name, pattern, operations }: Grant) {
  return {
    resource: { type: resourceTypes[resource], name, patternType: pattern },
    operations: operations.map(operation => operation.charAt(0).toUpperCase() + operation.slice(1))
  }
}
