import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import { imageOf, labels, type Manifest, minimalContainer, minimalPod, onePodMayBeAway } from './manifest.ts'
import { service } from './services.ts'

const name = 'registry'
const port = 8080
const health = (path: string) => ({ httpGet: { path, port: 'http' }, timeoutSeconds: 3, periodSeconds: 5 })

/** The schema registry. What it knows is in Postgres, so any number of it may run. */
export function registryManifests(): Manifest[] {
  return [deployment(), service(name, port), onePodMayBeAway(name)]
}

function deployment(): IDeployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: labels(name) },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: labels(name) },
        spec: {
          ...minimalPod(1001),
          containers: [
            {
              ...minimalContainer,
              name,
              image: imageOf(name),
              env: [
                { name: 'APICURIO_STORAGE_KIND', value: 'sql' },
                { name: 'APICURIO_STORAGE_SQL_KIND', value: 'postgresql' },
                ...['URL', 'USERNAME', 'PASSWORD'].map(key => ({
                  name: `APICURIO_DATASOURCE_${key}`,
                  valueFrom: { secretKeyRef: { name: 'orderly-registry', key } }
                })),
                { name: 'QUARKUS_HTTP_PORT', value: String(port) },
                // Requests of web pages are refused.
                { name: 'QUARKUS_HTTP_CORS_ORIGINS', value: `http://${name}:${port}` }
              ],
              ports: [{ name: 'http', containerPort: port }],
              startupProbe: { ...health('/health/live'), failureThreshold: 30 },
              livenessProbe: health('/health/live'),
              readinessProbe: health('/health/ready'),
              resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '768Mi' } },
              volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }]
            }
          ],
          volumes: [{ name: 'tmp', emptyDir: {} }]
        }
      }
    }
  }
}
