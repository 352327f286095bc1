import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import { parse } from 'yaml'

/**
 * A Kubernetes resource. The types of each kind reject unknown fields; a test validates the values.
 */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
}

/** Namespace of the plain manifests. The chart uses the namespace of its release. */
export const namespace = 'orderly'

/** Name of the settings that differ between installations: `settings.yaml`. */
export const settings = 'orderly'

const { services } = parse(readFileSync(join(import.meta.dirname, '..', 'compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<string, { image: string }>
}

/** Returns the image that the compose file runs, so that a version is defined in one place. */
export function imageOf(composeService: string): string {
  const service = services[composeService]
  if (service === undefined) throw new Error(`deploy/compose.yaml has no service ${composeService}`)
  return service.image
}

export const labels = (name: string) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'orderly' })

/** Security settings of pods that Strimzi creates, for the restricted Pod Security Standard. */
export const restrictedPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } as const

/** The same for their containers, which may write to their root. */
export const restrictedContainer = {
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
}

/** Base of every pod of Orderly. */
export const minimalPod = (userID: number): IPodSpec => ({
  containers: [],
  automountServiceAccountToken: false,
  // No variables for other services in the namespace: the environment contains only explicit
  // settings.
  enableServiceLinks: false,
  securityContext: {
    ...{ runAsNonRoot: true, runAsUser: userID, runAsGroup: userID, fsGroup: userID },
    seccompProfile: { type: 'RuntimeDefault' }
  }
})

export const minimalContainer = {
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
} satisfies Partial<IContainer>

/**
 * Spreads pods over nodes and zones.
 *
 * @param onNodes whether a pod waits for a node without one of its kind, or runs anywhere
 */
export const spread = (
  matchLabels: Record<string, string>,
  onNodes: 'DoNotSchedule' | 'ScheduleAnyway' = 'ScheduleAnyway'
) =>
  [
    { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: onNodes },
    { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' as const }
  ].map(key => ({ maxSkew: 1, ...key, labelSelector: { matchLabels } }))

export function onePodMayBeAway(name: string): IPodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, labels: labels(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels(name) } }
  }
}

const metricsFile = 'jmx.yml'

/**
 * Returns the exported metrics of a Java server: `deploy/<server>/jmx.yml`, which every installation
 * uses.
 */
export function metricsOf(server: 'kafka' | 'connect'): IConfigMap {
  const text = readFileSync(join(import.meta.dirname, '..', server, metricsFile), 'utf8')
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${server}-metrics` }, data: { [metricsFile]: text } }
}

/** Strimzi's reference to those metrics. */
export const metricsConfig = (server: 'kafka' | 'connect') =>
  ({
    type: 'jmxPrometheusExporter',
    valueFrom: { configMapKeyRef: { name: `${server}-metrics`, key: metricsFile } }
  }) as const
