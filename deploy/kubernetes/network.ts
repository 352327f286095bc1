import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { connectCluster } from './connect.ts'
import { brokerPods } from './kafka.ts'
import { labels, type Manifest } from './manifest.ts'
import { registryPort } from './registry.ts'
import { scrapedServices } from './services.ts'

type Spec = NonNullable<INetworkPolicy['spec']>
type Ingress = NonNullable<Spec['ingress']>[number]
type Egress = NonNullable<Spec['egress']>[number]
type Port = NonNullable<Egress['ports']>[number]

const postgresPort = 5432
const brokerPort = 9093
const strimziMetricsPort = 9404
const otlpPorts = [4317, 4318]

const ourPods = { 'app.kubernetes.io/part-of': 'orderly' }
const connectPods = { 'strimzi.io/cluster': connectCluster, 'strimzi.io/kind': 'KafkaConnect' }
const tcp = (...ports: (number | string)[]): Port[] => ports.map(port => ({ protocol: 'TCP', port }))

/**
 * Selects namespaces by an access label: `kubectl label namespace monitoring orderly/scrapes=true`.
 */
const namespacesWith = (label: string) => [{ namespaceSelector: { matchLabels: { [label]: 'true' } } }]

/**
 * Allowed addresses of webhooks and mail servers: no private networks and no cloud metadata
 * service.
 */
const publicAddresses = {
  ipBlock: {
    cidr: '0.0.0.0/0',
    except: [
      '10.0.0.0/8',
      '100.64.0.0/10',
      '127.0.0.0/8',
      '168.63.129.16/32',
      '169.254.0.0/16',
      '172.16.0.0/12',
      '192.168.0.0/16'
    ]
  }
}

const dns: Egress = {
  to: [{ namespaceSelector: {} }],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 }
  ]
}
/** Postgres is external: it may run inside or outside the cluster. */
const postgres: Egress = { ports: tcp(postgresPort) }
const kafka: Egress = {
  to: [{ podSelector: { matchLabels: brokerPods } }],
  ports: tcp(brokerPort)
}
const registry: Egress = { to: [{ podSelector: { matchLabels: labels('registry') } }], ports: tcp(registryPort) }
const tracing: Egress = { to: [{ namespaceSelector: {} }], ports: tcp(...otlpPorts) }

const apiAccess: Ingress = {
  from: [...namespacesWith('orderly/uses-api'), { podSelector: { matchLabels: labels('orderly-toolbox') } }],
  ports: tcp('http')
}
const scraping: Ingress = { from: namespacesWith('orderly/scrapes'), ports: tcp('http') }

/**
 * Returns the policies that list the allowed connections; all others are refused. Strimzi creates
 * the policies of its brokers and of Connect's REST interface, which only its operator may use.
 */
export function networkManifests(): Manifest[] {
  return [
    policy('orderly-default', ourPods, {}),
    ...scrapedServices.map(name => policy(name, labels(name), accessOf(name))),
    policy('migrate', labels('migrate'), { egress: [dns, postgres] }),
    policy('orderly-toolbox', labels('orderly-toolbox'), {
      egress: [dns, postgres, kafka, registry, { to: [{ podSelector: { matchLabels: ourPods } }], ports: tcp('http') }]
    }),
    policy('orderly-restart', labels('orderly-restart'), { egress: [dns, { ports: tcp(443, 6443) }] }),
    policy('registry', labels('registry'), {
      ingress: [{ from: [...registryUsers(), { podSelector: { matchLabels: connectPods } }], ports: tcp('http') }],
      egress: [dns, postgres]
    }),
    policy('audit-connect', connectPods, {
      ingress: [{ from: namespacesWith('orderly/scrapes'), ports: tcp(strimziMetricsPort) }],
      egress: [dns, postgres, kafka, registry]
    })
  ]
}

function accessOf(name: string): Pick<Spec, 'ingress' | 'egress'> {
  const egress = [dns, postgres, kafka, registry, tracing]
  const outside = { to: [publicAddresses], ports: tcp(25, 443, 465, 587) }
  if (name === 'notification') return { ingress: [scraping], egress: [...egress, outside] }
  return { ingress: name === 'monitor' ? [scraping] : [apiAccess, scraping], egress }
}

function registryUsers() {
  return [...scrapedServices, 'orderly-toolbox'].map(name => ({ podSelector: { matchLabels: labels(name) } }))
}

function policy(
  name: string,
  matchLabels: Record<string, string>,
  access: Pick<Spec, 'ingress' | 'egress'>
): INetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, labels: labels('orderly') },
    spec: { podSelector: { matchLabels }, policyTypes: ['Ingress', 'Egress'], ...access }
  }
}
