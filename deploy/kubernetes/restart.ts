import type { ICronJob } from 'kubernetes-models/batch/v1/CronJob'
import type { IRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role'
import type { IRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding'
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import { referencesOf, type Workload } from '../setup/restart-changed.ts'
import { imageOf, labels, type Manifest, minimalContainer, minimalPod, namespace } from './manifest.ts'
import { registryManifests } from './registry.ts'
import { serviceManifests } from './services.ts'
import { toolboxManifests } from './toolbox.ts'

const name = 'orderly-restart'
const metadata = { name, labels: labels(name) }

/**
 * Returns a job that restarts workloads one pod after the other when a Secret or ConfigMap that
 * they use has changed, which also holds for certificates that Strimzi and cert-manager renew. It
 * may read only those.
 */
export function restartManifests(): Manifest[] {
  return [serviceAccount(), role(), binding(), job()]
}

function serviceAccount(): IServiceAccount {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false }
}

function role(): IRole {
  const used = [...serviceManifests(), ...registryManifests(), ...toolboxManifests()]
    .filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')
    .flatMap(manifest => referencesOf(manifest as unknown as Workload))
  const namesOf = (kind: string) => [...new Set(used.filter(each => each.kind === kind).map(({ name }) => name))]
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata,
    rules: [
      { apiGroups: ['apps'], resources: ['statefulsets', 'deployments'], verbs: ['list', 'patch'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: namesOf('secrets').toSorted(), verbs: ['get'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: namesOf('configmaps').toSorted(), verbs: ['get'] }
    ]
  }
}

function binding(): IRoleBinding {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }]
  }
}

function job(): ICronJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata,
    spec: {
      schedule: '*/2 * * * *',
      concurrencyPolicy: 'Forbid',
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        spec: {
          backoffLimit: 1,
          activeDeadlineSeconds: 100,
          template: {
            metadata: { labels: labels(name) },
            spec: {
              ...minimalPod(1000),
              ...{ serviceAccountName: name, automountServiceAccountToken: true, restartPolicy: 'Never' },
              containers: [
                {
                  ...minimalContainer,
                  name: 'restart',
                  image: imageOf('migrate'),
                  args: ['deploy/setup/restart-changed.ts'],
                  env: [
                    { name: 'NODE_EXTRA_CA_CERTS', value: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
                    { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }
                  ],
                  resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
                  volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }]
                }
              ],
              volumes: [{ name: 'tmp', emptyDir: {} }]
            }
          }
        }
      }
    }
  }
}
