import { servicePrincipals } from '../kafka/principals.ts'

export type Manifest = Readonly<Record<string, unknown>> & { readonly kind: string }

interface Shape {
  readonly port: number
  readonly replicas: number
  /** What an instance waits for in Kafka: the group whose lag scales it, and its topic. */
  readonly lag?: { readonly topic: string; readonly group: string }
}

const image = 'orderly/service:0.1.0'
/** New topics have as many partitions; more instances than that would have nothing to do. */
export const partitions = 12
const stopSeconds = 30
const settings = 'orderly'

const shapes: Readonly<Record<string, Shape>> = {
  order: { port: 8080, replicas: 2 },
  inventory: { port: 8081, replicas: 2, lag: { topic: 'orders.created', group: 'orders-created' } },
  notification: { port: 8082, replicas: 2, lag: { topic: 'inventory.reserved', group: 'notifications' } },
  aggregator: { port: 8083, replicas: 2, lag: { topic: 'orders.created', group: 'order-rate' } }
}

/** For each service: how it runs, where it is found, how much of it may be away, and how it grows. */
export function serviceManifests(): Manifest[] {
  return Object.keys(servicePrincipals).flatMap(name => {
    const shape = shapes[name]
    if (shape === undefined) throw new Error(`deploy/kubernetes/services.ts has no shape for ${name}`)
    return [statefulSet(name, shape), service(name, shape), disruptionBudget(name), ...scaling(name, shape)]
  })
}

const labels = (name: string) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'orderly' })

/** Stateful for the name alone: an instance has the same INSTANCE_ID after a restart, and two never share one. */
function statefulSet(name: string, { port, replicas }: Shape): Manifest {
  const probe = (path: string, fields: object) => ({ httpGet: { path, port: 'http' }, timeoutSeconds: 3, ...fields })
  const container = {
    name,
    image,
    args: [`services/${name}/main.ts`],
    envFrom: [{ configMapRef: { name: settings } }, { secretRef: { name: settings } }],
    env: [
      { name: 'HTTP_PORT', value: String(port) },
      {
        name: 'INSTANCE_ID',
        valueFrom: { fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" } }
      },
      { name: 'KAFKA_SASL_USERNAME', value: name },
      { name: 'KAFKA_SASL_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } }
    ],
    ports: [{ name: 'http', containerPort: port }],
    startupProbe: probe('/health/live', { periodSeconds: 2, failureThreshold: 30 }),
    livenessProbe: probe('/health/live', { periodSeconds: 10, failureThreshold: 3 }),
    readinessProbe: probe('/health/ready', { periodSeconds: 5, failureThreshold: 2 }),
    resources: { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '512Mi' } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'kafka-ca', mountPath: '/etc/orderly/kafka', readOnly: true },
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
          automountServiceAccountToken: false,
          // Longer than SHUTDOWN_DEADLINE_MS: the service ends by itself before it is killed.
          terminationGracePeriodSeconds: stopSeconds,
          securityContext: {
            ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
            seccompProfile: { type: 'RuntimeDefault' }
          },
          topologySpreadConstraints: [
            {
              ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
              labelSelector: { matchLabels: labels(name) }
            }
          ],
          containers: [container],
          volumes: [
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

function service(name: string, { port }: Shape): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: labels(name) },
    spec: { selector: labels(name), ports: [{ name: 'http', port, targetPort: 'http' }] }
  }
}

function disruptionBudget(name: string): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, labels: labels(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels(name) } }
  }
}

function scaling(name: string, { replicas, lag }: Shape): Manifest[] {
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
