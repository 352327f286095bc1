import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import { parse } from 'yaml'

/** What a cluster is given. The types of the kinds find a field that does not exist; values are validated by a test. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
}

/** The name of the settings that differ from place to place: `settings.yaml`. */
export const settings = 'orderly'

const { services } = parse(readFileSync(join(import.meta.dirname, '..', 'compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<string, { image: string }>
}

/** The image that the compose file runs, so that a version stands in one place. */
export function imageOf(composeService: string): string {
  const service = services[composeService]
  if (service === undefined) throw new Error(`deploy/compose.yaml has no service ${composeService}`)
  return service.image
}

export const labels = (name: string) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'orderly' })

/** Of every pod of ours. */
export const minimalPod = (userID: number): IPodSpec => ({
  containers: [],
  automountServiceAccountToken: false,
  // No variables for each service that is there: settings are those that somebody has set.
  enableServiceLinks: false,
  securityContext: {
    ...{ runAsNonRoot: true, runAsUser: userID, runAsGroup: userID, fsGroup: userID },
    seccompProfile: { type: 'RuntimeDefault' }
  }
})

export const minimalContainer = {
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
} satisfies Partial<IContainer>

export function onePodMayBeAway(name: string): IPodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, labels: labels(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels(name) } }
  }
}

const metricsFile = 'jmx.yml'

/** Which metrics of its own a Java server tells: `deploy/<part>/jmx.yml`, as everywhere. */
export function metricsOf(part: 'kafka' | 'connect'): IConfigMap {
  const text = readFileSync(join(import.meta.dirname, '..', part, metricsFile), 'utf8')
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${part}-metrics` }, data: { [metricsFile]: text } }
}

/** What Strimzi has to be told so that it does. */
export const metricsConfig = (part: 'kafka' | 'connect') =>
  ({
    type: 'jmxPrometheusExporter',
    valueFrom: { configMapKeyRef: { name: `${part}-metrics`, key: metricsFile } }
  }) as const
