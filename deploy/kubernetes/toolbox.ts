import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import { labels, type Manifest, minimalContainer, minimalPod } from './manifest.ts'
import { clientEnvironment, clientMounts, clientVolumes, shapes } from './services.ts'

const name = 'orderly-toolbox'
const inventory = `http://inventory:${shapes.inventory?.port}`

/**
 * Returns a pod that waits for commands of operators, with the Kafka user and the database role of
 * the operator: `kubectl exec deploy/orderly-toolbox -- orderly doctor`.
 */
export function toolboxManifests(): Manifest[] {
  const deployment: IDeployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: labels(name) },
    spec: {
      replicas: 1,
      // Two operators do not need two pods, and one user of the database has few connections.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: labels(name) },
        spec: {
          ...minimalPod(1000),
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              ...minimalContainer,
              name: 'toolbox',
              // Built by the target `toolbox` of the Dockerfile, which waits for commands.
              image: 'orderly/toolbox:0.1.0',
              ...clientEnvironment('operator', [{ name: 'INVENTORY_URL', value: inventory }]),
              resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '512Mi' } },
              volumeMounts: clientMounts
            }
          ],
          volumes: clientVolumes
        }
      }
    }
  }
  return [deployment]
}
