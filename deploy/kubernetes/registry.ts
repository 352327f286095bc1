import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import { imageOf, labels, type Manifest, minimalContainer, minimalPod, onePodMayBeAway, spread } from './manifest.ts'
import { service } from './services.ts'

const name = 'registry'
export const registryPort = 8443
/** Prefix of the settings of the check that makes the registry unready after slow answers. */
const readinessCheck = 'APICURIO_METRICS_RESPONSE_TIMEOUT_READINESS_CHECK'
/** Port of the health probes, without TLS and credentials. */
const managementPort = 9000
/**
 * Name of the secret with `tls.crt`, `tls.key` and `ca.crt`, as cert-manager creates it for the
 * host name `registry`.
 */
export const registryTLS = 'registry-tls'
const certificates = '/etc/orderly/registry'
const health = (path: string) => ({ httpGet: { path, port: 'management' }, timeoutSeconds: 3, periodSeconds: 5 })

/** Returns the schema registry. Its state is in Postgres, so any number of replicas may run. */
export function registryManifests(): Manifest[] {
  return [deployment(), service(name, registryPort), onePodMayBeAway(name)]
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
          topologySpreadConstraints: spread(labels(name)),
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
                { name: 'QUARKUS_MANAGEMENT_PORT', value: String(managementPort) },
                { name: 'QUARKUS_HTTP_SSL_PORT', value: String(registryPort) },
                { name: 'QUARKUS_HTTP_SSL_CERTIFICATE_FILES', value: `${certificates}/tls.crt` },
                { name: 'QUARKUS_HTTP_SSL_CERTIFICATE_KEY_FILES', value: `${certificates}/tls.key` },
                { name: 'QUARKUS_HTTP_INSECURE_REQUESTS', value: 'disabled' },
                // Every request must authenticate as the only user, `orderly`.
                { name: 'QUARKUS_HTTP_AUTH_BASIC', value: 'true' },
                { name: 'QUARKUS_HTTP_AUTH_PERMISSION_API_PATHS', value: '/*' },
                { name: 'QUARKUS_HTTP_AUTH_PERMISSION_API_POLICY', value: 'authenticated' },
                { name: 'QUARKUS_SECURITY_USERS_EMBEDDED_ENABLED', value: 'true' },
                { name: 'QUARKUS_SECURITY_USERS_EMBEDDED_PLAIN_TEXT', value: 'true' },
                { name: 'QUARKUS_SECURITY_USERS_EMBEDDED_ROLES_ORDERLY', value: 'user' },
                {
                  name: 'QUARKUS_SECURITY_USERS_EMBEDDED_USERS_ORDERLY',
                  valueFrom: { secretKeyRef: { name: 'orderly-registry-client', key: 'SCHEMA_REGISTRY_PASSWORD' } }
                },
                // Otherwise two slow answers make it unready for five minutes.
                { name: `${readinessCheck}_TIMEOUT_SECONDS`, value: '30' },
                { name: `${readinessCheck}_STATUS_RESET_WINDOW_DURATION_SECONDS`, value: '10' },
                // Rejects requests from web pages.
                { name: 'QUARKUS_HTTP_CORS_ORIGINS', value: `https://${name}:${registryPort}` }
              ],
              ports: [
                { name: 'http', containerPort: registryPort },
                { name: 'management', containerPort: managementPort }
              ],
              startupProbe: { ...health('/health/live'), failureThreshold: 30 },
              livenessProbe: health('/health/live'),
              readinessProbe: health('/health/ready'),
              resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '768Mi' } },
              volumeMounts: [
                { name: 'tmp', mountPath: '/tmp' },
                { name: 'tls', mountPath: certificates, readOnly: true }
              ]
            }
          ],
          volumes: [
            { name: 'tmp', emptyDir: {} },
            { name: 'tls', secret: { secretName: registryTLS } }
          ]
        }
      }
    }
  }
}
