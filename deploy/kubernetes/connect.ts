import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IKafkaConnect } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/KafkaConnect'
import type { IKafkaConnector } from '@kubernetes-models/strimzi-kafka-operator/kafka.strimzi.io/v1/KafkaConnector'
import { topicNames } from '@orderly/contracts'
import type { Connector } from '../connect/connector.ts'
import { cluster, kafkaVersion } from './kafka.ts'
import { type Manifest, metricsConfig, metricsOf, restrictedContainer, restrictedPod } from './manifest.ts'
import { registryPort, registryTLS } from './registry.ts'

export const connectCluster = 'audit'
/** The only file of the registry's TLS secret that clients mount. */
const caFile = { key: 'ca.crt', path: 'ca.crt' }
const auditVariables = ['AUDIT_JDBC_URL', 'AUDIT_DATABASE_USERNAME', 'AUDIT_DATABASE_PASSWORD']

/**
 * Returns Kafka Connect, run by Strimzi, with the connector of `deploy/connect`. Strimzi's operator
 * restarts failed tasks.
 */
export function connectManifests(): Manifest[] {
  return [workers(), metricsOf('connect'), connector()]
}

function workers(): IKafkaConnect {
  return {
    apiVersion: 'kafka.strimzi.io/v1',
    kind: 'KafkaConnect',
    metadata: { name: connectCluster, annotations: { 'strimzi.io/use-connector-resources': 'true' } },
    spec: {
      version: kafkaVersion,
      replicas: 1,
      // Built by the target `connect-strimzi` of the Dockerfile.
      image: 'orderly/connect-strimzi:0.1.0',
      bootstrapServers: `${cluster}-kafka-bootstrap:9093`,
      tls: { trustedCertificates: [{ secretName: `${cluster}-cluster-ca-cert`, pattern: '*.crt' }] },
      authentication: {
        ...{ type: 'scram-sha-512', username: 'audit', passwordSecret: { secretName: 'audit', password: 'password' } }
      },
      // Names that the principal `audit` has grants for.
      groupId: 'orderly-connect',
      configStorageTopic: 'connect.config',
      offsetStorageTopic: 'connect.offset',
      statusStorageTopic: 'connect.status',
      config: {
        'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
        'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
        ...{ 'config.storage.replication.factor': -1, 'offset.storage.replication.factor': -1 },
        ...{ 'status.storage.replication.factor': -1, 'offset.storage.partitions': 1, 'status.storage.partitions': 1 },
        // Lets the connector override client settings. Passwords come from the environment.
        'connector.client.config.override.policy': 'All',
        'config.providers': 'env',
        'config.providers.env.class': 'org.apache.kafka.common.config.provider.EnvVarConfigProvider',
        'config.providers.env.param.allowlist.pattern': 'AUDIT_.*'
      },
      metricsConfig: metricsConfig('connect'),
      resources: { requests: { cpu: '250m', memory: '768Mi' }, limits: { memory: '1Gi' } },
      template: {
        pod: {
          securityContext: restrictedPod,
          volumes: [{ name: 'registry-ca', secret: { secretName: registryTLS, items: [caFile] } }]
        },
        connectContainer: {
          ...restrictedContainer,
          env: [
            ...auditVariables.map(name => ({
              name,
              valueFrom: { secretKeyRef: { name: 'orderly-audit', key: name } }
            })),
            { name: 'AUDIT_REGISTRY_URL', value: `https://registry:${registryPort}/apis/ccompat/v7` },
            { name: 'AUDIT_REGISTRY_USERNAME', value: 'orderly' },
            {
              name: 'AUDIT_REGISTRY_PASSWORD',
              valueFrom: { secretKeyRef: { name: 'orderly-registry-client', key: 'SCHEMA_REGISTRY_PASSWORD' } }
            },
            { name: 'AUDIT_REGISTRY_CA_FILE', value: '/mnt/registry/ca.crt' }
          ],
          volumeMounts: [{ name: 'registry-ca', mountPath: '/mnt/registry' }]
        }
      }
    }
  }
}

function connector(): IKafkaConnector {
  const file = join(import.meta.dirname, '..', 'connect', 'audit-postgres.json')
  const { name, config } = JSON.parse(readFileSync(file, 'utf8')) as Connector
  const { 'connector.class': className = '', 'tasks.max': tasks, ...own } = config
  return {
    apiVersion: 'kafka.strimzi.io/v1',
    kind: 'KafkaConnector',
    metadata: { name, labels: { 'strimzi.io/cluster': connectCluster } },
    spec: {
      ...{ class: className, tasksMax: Number(tasks), autoRestart: { enabled: true } },
      config: { ...own, topics: Object.values(topicNames).join(',') }
    }
  }
}
