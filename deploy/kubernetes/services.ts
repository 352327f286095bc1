import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IJob } from 'kubernetes-models/batch/v1/Job'
import type { IService } from 'kubernetes-models/v1/Service'
import { servicePrincipals } from '../kafka/principals.ts'
import { imageOf, labels, type Manifest, minimalContainer, minimalPod, onePodMayBeAway, settings } from './manifest.ts'

interface Shape {
  readonly port: number
  readonly replicas: number
  /** True if the service uses the database, with its own role. */
  readonly hasDatabase: boolean
  /** Group whose lag scales the service, with its topic. */
  readonly lag?: { readonly topic: string; readonly group: string }
}

/** Partitions of new topics. More instances than partitions would be idle. */
export const partitions = 12
const stopSeconds = 30
/**
 * Time in which a stopping pod still accepts requests, because clients learn of the stop at the
 * same time.
 */
const lastRequestsSeconds = 5

const shapes: Readonly<Record<string, Shape>> = {
  order: { port: 8080, replicas: 2, hasDatabase: true },
  inventory: { port: 8081, replicas: 2, hasDatabase: true, lag: { topic: 'orders.created', group: 'inventory' } },
  notification: {
    port: 8082,
    replicas: 2,
    hasDatabase: true,
    lag: { topic: 'inventory.reserved', group: 'notifications' }
  },
  aggregator: { port: 8083, replicas: 2, hasDatabase: true, lag: { topic: 'orders.created', group: 'order-rate' } },
  // Two instances would export everything twice.
  monitor: { port: 8086, replicas: 1, hasDatabase: false }
}

/** Names of all services that Prometheus scrapes. */
export const scrapedServices = Object.keys(shapes)

/** Returns the workload, address, disruption budget and scaling of each service. */
export function serviceManifests(): Manifest[] {
  for (const name of Object.keys(servicePrincipals)) {
    if (shapes[name] === undefined) throw new Error(`deploy/kubernetes/services.ts has no shape for ${name}`)
  }
  return [
    migration(),
    ...Object.entries(shapes).flatMap(([name, shape]) => [
      ...[statefulSet(name, shape), service(name, shape.port), onePodMayBeAway(name)],
      ...scaling(name, shape)
    ])
  ]
}

/**
 * Returns the name of the secret with the database address of a role; `settings.yaml` has one per
 * role.
 */
const databaseSecret = (role: string) => `orderly-database-${role}`

const databaseURL = (variable: string, role: string) => ({
  name: variable,
  valueFrom: { secretKeyRef: { name: databaseSecret(role), key: 'url' } }
})

/**
 * Returns the job that migrates the database as its owner. Services of this version start once it
 * has finished. A job is immutable, so each version has its own.
 */
function migration(): IJob {
  const image = imageOf('migrate')
  const name = `migrate-${image.replace(/^.*:/, '').replaceAll('.', '-')}`
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels: labels('migrate') },
    spec: {
      backoffLimit: 20,
      ttlSecondsAfterFinished: 86_400,
      template: {
        metadata: { labels: labels('migrate') },
        spec: {
          ...minimalPod(1000),
          restartPolicy: 'OnFailure',
          containers: [
            {
              ...minimalContainer,
              name: 'migrate',
              image,
              args: ['deploy/setup/migrate.ts'],
              env: [{ name: 'ORDERLY_PROFILE', value: 'prod' }, databaseURL('DATABASE_OWNER_URL', 'owner')],
              resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
              volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }]
            }
          ],
          volumes: [{ name: 'tmp', emptyDir: {} }]
        }
      }
    }
  }
}

/**
 * Returns a stateful set. Only the stable name is needed: an instance keeps its INSTANCE_ID after a
 * restart, and two never share one.
 */
function statefulSet(name: string, { port, replicas, hasDatabase }: Shape): IStatefulSet {
  const probe = (path: string, fields: object) => ({ httpGet: { path, port: 'http' }, timeoutSeconds: 3, ...fields })
  const container = {
    ...minimalContainer,
    name,
    image: imageOf(name),
    args: [`services/${name}/main.ts`],
    envFrom: [{ configMapRef: { name: settings } }, { secretRef: { name: 'orderly-registry-client' } }],
    env: [
      { name: 'HTTP_PORT', value: String(port) },
      {
        name: 'INSTANCE_ID',
        valueFrom: { fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" } }
      },
      { name: 'KAFKA_SASL_USERNAME', value: name },
      { name: 'KAFKA_SASL_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
      ...(hasDatabase ? [databaseURL('DATABASE_URL', name)] : [])
    ],
    ports: [{ name: 'http', containerPort: port }],
    startupProbe: probe('/health/live', { periodSeconds: 2, failureThreshold: 30 }),
    livenessProbe: probe('/health/live', { periodSeconds: 10, failureThreshold: 3 }),
    readinessProbe: probe('/health/ready', { periodSeconds: 5, failureThreshold: 2 }),
    lifecycle: { preStop: { sleep: { seconds: lastRequestsSeconds } } },
    resources: { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '640Mi' } },
    volumeMounts: [
      { name: 'kafka-ca', mountPath: '/etc/orderly/kafka', readOnly: true },
      { name: 'registry-ca', mountPath: '/etc/orderly/registry', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' }
    ]
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, labels: labels(name) },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: labels(name) },
        spec: {
          ...minimalPod(1000),
          // Longer than lastRequestsSeconds and SHUTDOWN_DEADLINE_MS together, so that the service
          // exits before it is killed.
          terminationGracePeriodSeconds: stopSeconds,
          topologySpreadConstraints: [
            {
              ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
              labelSelector: { matchLabels: labels(name) }
            }
          ],
          containers: [container],
          volumes: [
            { name: 'registry-ca', secret: { secretName: 'registry-tls', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            {
              name: 'kafka-ca',
              secret: { secretName: 'orderly-cluster-ca-cert', items: [{ key: 'ca.crt', path: 'ca.crt' }] }
            },
            { name: 'tmp', emptyDir: {} }
          ]
        }
      }
    }
  }
}

export function service(name: string, port: number): IService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: labels(name) },
    spec: { selector: labels(name), ports: [{ name: 'http', port, targetPort: 'http' }] }
  }
}

function scaling(name: string, { replicas, lag }: Shape): IScaledObject[] {
  if (lag === undefined) return []
  return [
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name, labels: labels(name) },
      spec: {
        scaleTargetRef: { kind: 'StatefulSet', name },
        minReplicaCount: replicas,
        maxReplicaCount: partitions,
        cooldownPeriod: 300,
        triggers: [
          {
            type: 'kafka',
            authenticationRef: { name: 'orderly-kafka' },
            metadata: {
              ...{ bootstrapServers: 'orderly-kafka-bootstrap:9093', consumerGroup: lag.group, topic: lag.topic },
              ...{ lagThreshold: '1000', offsetResetPolicy: 'earliest', tls: 'enable', sasl: 'scram_sha512' }
            }
          }
        ]
      }
    }
  ]
}
