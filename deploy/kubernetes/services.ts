import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IJob } from 'kubernetes-models/batch/v1/Job'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IService } from 'kubernetes-models/v1/Service'
import { servicePrincipals } from '../kafka/principals.ts'
import {
  imageOf,
  labels,
  type Manifest,
  minimalContainer,
  minimalPod,
  onePodMayBeAway,
  settings,
  spread
} from './manifest.ts'

type Trigger = NonNullable<NonNullable<IScaledObject['spec']>['triggers']>[number]

/** Port, scale and database use of one service. */
interface Shape {
  readonly port: number
  readonly replicas: number
  /** True if the service uses the database, with its own role. */
  readonly hasDatabase: boolean
  /** Triggers that scale the service. KEDA takes the trigger that requires most instances. */
  readonly triggers?: readonly Trigger[]
}

/** Partitions of new topics. More instances than partitions would be idle. */
export const partitions = 12
const stopSeconds = 30
/**
 * Time in which a stopping pod still accepts requests, because clients learn of the stop at the
 * same time.
 */
const lastRequestsSeconds = 5

/** Deliveries that one instance works off in a reasonable time. */
const deliveriesPerInstance = 2000
const databaseTrigger = 'orderly-database-notification'

export const shapes: Readonly<Record<string, Shape>> = {
  order: { port: 8080, replicas: 2, hasDatabase: true, triggers: [highCPU()] },
  inventory: { port: 8081, replicas: 2, hasDatabase: true, triggers: [lag('orders.created', 'orders-created')] },
  notification: {
    ...{ port: 8082, replicas: 2, hasDatabase: true },
    triggers: [lag('inventory.reserved', 'notifications'), deliveryBacklog()]
  },
  aggregator: { port: 8083, replicas: 2, hasDatabase: true, triggers: [lag('orders.created', 'order-rate')] },
  // Two instances would export everything twice.
  monitor: { port: 8086, replicas: 1, hasDatabase: false }
}

function lag(topic: string, consumerGroup: string): Trigger {
  return {
    type: 'kafka',
    authenticationRef: { name: 'orderly-kafka' },
    metadata: {
      ...{ bootstrapServers: 'orderly-kafka-bootstrap:9093', consumerGroup, topic },
      ...{ lagThreshold: '1000', offsetResetPolicy: 'earliest', tls: 'enable', sasl: 'scram_sha512' }
    }
  }
}

/**
 * The order service reads little from Kafka: its load is requests. The value is a share of the
 * requested CPU time: half a CPU for each instance.
 */
function highCPU(): Trigger {
  return { type: 'cpu', metricType: 'Utilization', metadata: { value: '200' } }
}

/**
 * Slow targets delay deliveries after their events were read, which the lag does not show. KEDA
 * counts them as the role of the service, which may read the table.
 */
function deliveryBacklog(): Trigger {
  return {
    type: 'postgresql',
    authenticationRef: { name: databaseTrigger },
    metadata: {
      query: 'SELECT count(*) FROM notification.deliveries WHERE finished_at IS NULL',
      targetQueryValue: String(deliveriesPerInstance)
    }
  }
}

/** Names of all services that Prometheus scrapes. */
export const scrapedServices = Object.keys(shapes)

/** Returns the workload, address, disruption budget and scaling of each service. */
export function serviceManifests(): Manifest[] {
  for (const name of Object.keys(servicePrincipals)) {
    if (shapes[name] === undefined)
      throw new Error(`no deployment of ${name}: add it to shapes in deploy/kubernetes/services.ts`)
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
 * Returns the settings of a program that uses Kafka and the registry, and its database role if it
 * has one.
 */
export function clientEnvironment(
  user: string,
  more: NonNullable<IContainer['env']>,
  hasDatabase = true
): Pick<IContainer, 'env' | 'envFrom'> {
  return {
    envFrom: [{ configMapRef: { name: settings } }, { secretRef: { name: 'orderly-registry-client' } }],
    env: [
      ...more,
      { name: 'KAFKA_SASL_USERNAME', value: user },
      { name: 'KAFKA_SASL_PASSWORD', valueFrom: { secretKeyRef: { name: user, key: 'password' } } },
      ...(hasDatabase ? [databaseURL('DATABASE_URL', user)] : [])
    ]
  }
}

export const clientMounts = [
  { name: 'kafka-ca', mountPath: '/etc/orderly/kafka', readOnly: true },
  { name: 'registry-ca', mountPath: '/etc/orderly/registry', readOnly: true },
  { name: 'tmp', mountPath: '/tmp' }
]

const caOf = (secretName: string) => ({ secretName, items: [{ key: 'ca.crt', path: 'ca.crt' }] })

export const clientVolumes = [
  { name: 'registry-ca', secret: caOf('registry-tls') },
  { name: 'kafka-ca', secret: caOf('orderly-cluster-ca-cert') },
  { name: 'tmp', emptyDir: {} }
]

/**
 * Returns a container that waits until the schemas of a service are migrated. Without it the
 * service would exit and be restarted with growing delays.
 */
function waitForMigration(name: string): IContainer {
  return {
    ...minimalContainer,
    name: 'wait-for-migration',
    image: imageOf(name),
    args: ['deploy/setup/wait-for-migration.ts', name],
    env: [{ name: 'ORDERLY_PROFILE', value: 'prod' }, databaseURL('DATABASE_URL', name)],
    resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }]
  }
}

/**
 * Returns a stateful set. Only the stable name is needed: an instance keeps its INSTANCE_ID after a
 * restart, and two never share one.
 */
function statefulSet(name: string, { port, replicas, hasDatabase, triggers }: Shape): IStatefulSet {
  const probe = (path: string, fields: object) => ({ httpGet: { path, port: 'http' }, timeoutSeconds: 3, ...fields })
  const container = {
    ...minimalContainer,
    name,
    image: imageOf(name),
    args: [`services/${name}/main.ts`],
    ...clientEnvironment(
      name,
      [
        { name: 'HTTP_PORT', value: String(port) },
        {
          name: 'INSTANCE_ID',
          valueFrom: { fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" } }
        }
      ],
      hasDatabase
    ),
    ports: [{ name: 'http', containerPort: port }],
    startupProbe: probe('/health/live', { periodSeconds: 2, failureThreshold: 30 }),
    livenessProbe: probe('/health/live', { periodSeconds: 10, failureThreshold: 3 }),
    readinessProbe: probe('/health/ready', { periodSeconds: 5, failureThreshold: 2 }),
    lifecycle: { preStop: { sleep: { seconds: lastRequestsSeconds } } },
    resources: { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '640Mi' } },
    volumeMounts: clientMounts
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, labels: labels(name) },
    spec: {
      serviceName: name,
      // The autoscaler owns the number of instances where there is one.
      ...(triggers === undefined && { replicas }),
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: labels(name) },
        spec: {
          ...minimalPod(1000),
          // Longer than lastRequestsSeconds and SHUTDOWN_DEADLINE_MS together, so that the service
          // exits before it is killed.
          terminationGracePeriodSeconds: stopSeconds,
          topologySpreadConstraints: spread(labels(name)),
          ...(hasDatabase && { initContainers: [waitForMigration(name)] }),
          containers: [container],
          volumes: clientVolumes
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

/** Each step is a rebalance, so instances are added together, and removed one by one. */
const behavior = {
  scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] },
  scaleDown: { stabilizationWindowSeconds: 900, policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }] }
}

function scaling(name: string, { replicas, triggers }: Shape): IScaledObject[] {
  if (triggers === undefined) return []
  return [
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name, labels: labels(name) },
      spec: {
        scaleTargetRef: { kind: 'StatefulSet', name },
        minReplicaCount: replicas,
        maxReplicaCount: partitions,
        advanced: { horizontalPodAutoscalerConfig: { behavior } },
        triggers: [...triggers]
      }
    }
  ]
}
