import type { Grant } from '@orderly/kafka'
import { manifestsOf } from './manifests.ts'

interface Reference {
  readonly name: string
  readonly key: string
}

interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly secretKeyRef?: Reference; readonly fieldRef?: { readonly fieldPath: string } }
}

interface Probe {
  readonly httpGet: { readonly path: string }
}

export interface StatefulSet {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          {
            readonly args: readonly string[]
            readonly env: readonly Variable[]
            readonly envFrom: readonly {
              readonly configMapRef?: { readonly name: string }
              readonly secretRef?: { readonly name: string }
            }[]
            readonly startupProbe: Probe
            readonly livenessProbe: Probe
            readonly readinessProbe: Probe
          }
        ]
      }
    }
  }
}

export interface PodMonitor {
  readonly spec: { readonly podMetricsEndpoints: readonly { readonly path: string }[] }
}

export interface Topic {
  readonly spec: { readonly topicName: string; readonly config: Readonly<Record<string, unknown>> }
}

interface User {
  readonly spec: {
    readonly authorization: {
      readonly acls: readonly {
        readonly resource: { readonly type: string; readonly name?: string; readonly patternType?: Grant['pattern'] }
        readonly operations: readonly string[]
      }[]
    }
  }
}

/**
 * Returns the environment of the first instance.
 * @param password returns the password that Strimzi creates for a user
 */
export function settingsOf(
  { spec }: StatefulSet,
  { password }: { readonly password: (user: string) => string }
): Record<string, string> {
  const [{ env, envFrom }] = spec.template.spec.containers
  const ofFiles = envFrom.map(({ configMapRef, secretRef }) =>
    configMapRef === undefined
      ? valuesOf<{ stringData: Values }>('Secret', secretRef?.name).stringData
      : valuesOf<{ data: Values }>('ConfigMap', configMapRef.name).data
  )
  const own = env.map(({ name, value, valueFrom }) => {
    if (value !== undefined) return [name, value]
    if (valueFrom?.fieldRef?.fieldPath === "metadata.labels['apps.kubernetes.io/pod-index']") return [name, '0']
    if (valueFrom?.secretKeyRef?.key === 'password') return [name, password(valueFrom.secretKeyRef.name)]
    if (valueFrom?.secretKeyRef !== undefined) {
      const { name: secret, key } = valueFrom.secretKeyRef
      return [name, valuesOf<{ stringData: Values }>('Secret', secret).stringData[key]]
    }
    throw new Error(`the variable ${name} has no known source`)
  })
  return Object.assign({}, ...ofFiles, Object.fromEntries(own))
}

type Values = Readonly<Record<string, string>>

function valuesOf<Kind>(kind: string, name: string | undefined): Kind {
  const found = manifestsOf<Kind>(kind).find(({ metadata }) => metadata.name === name)
  if (found === undefined) throw new Error(`the manifests have no ${kind} ${name}`)
  return found
}

/** Returns the paths of the container's probes. */
export function probesOf({ spec }: StatefulSet): string[] {
  const [{ startupProbe, livenessProbe, readinessProbe }] = spec.template.spec.containers
  return [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)
}

/** Returns the grants of the users in the manifests, in the form of `acls.json`. */
export function grantsOfUsers(): Grant[] {
  return manifestsOf<User>('KafkaUser').flatMap(({ metadata, spec }) =>
    spec.authorization.acls.map(({ resource: { type, name, patternType }, operations }) => ({
      principal: metadata.name,
      resource: (type === 'transactionalId' ? 'transactionalID' : type) as Grant['resource'],
      name: name ?? 'kafka-cluster',
      pattern: patternType ?? 'literal',
      operations: operations.map(each => each.charAt(0).toLowerCase() + each.slice(1)) as Grant['operations']
    }))
  )
}
