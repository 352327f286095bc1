import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IPodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor'
import type { IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import { parse } from 'yaml'
import { connectCluster } from './connect.ts'
import { brokerPods } from './kafka.ts'
import { labels, type Manifest, namespace } from './manifest.ts'
import { scrapedServices } from './services.ts'

const rules = join(import.meta.dirname, '..', 'prometheus', 'rules')
const apiVersion = 'monitoring.coreos.com/v1'

/**
 * Returns the resources of the Prometheus operator: scrape targets under the job names that the
 * rules use, and the rules.
 */
export function monitoringManifests(): Manifest[] {
  const brokers = ofStrimzi('kafka', brokerPods)
  const workers = ofStrimzi('connect', { 'strimzi.io/cluster': connectCluster, 'strimzi.io/kind': 'KafkaConnect' })
  return [services(), brokers, workers, ...readdirSync(rules).toSorted().map(rule)]
}

/**
 * Scrapes pods instead of services: the latter would overwrite the label `service` of the metrics.
 */
function services(): IPodMonitor {
  return {
    apiVersion,
    kind: 'PodMonitor',
    metadata: { name: 'orderly', labels: labels('orderly') },
    spec: {
      selector: {
        matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: scrapedServices }],
        matchLabels: { 'app.kubernetes.io/part-of': 'orderly' }
      },
      jobLabel: 'app.kubernetes.io/name',
      podMetricsEndpoints: [{ port: 'http', path: '/metrics', interval: '15s' }]
    }
  }
}

function ofStrimzi(job: string, matchLabels: Record<string, string>): IPodMonitor {
  return {
    apiVersion,
    kind: 'PodMonitor',
    metadata: { name: `orderly-${job}`, labels: labels('orderly') },
    spec: {
      selector: { matchLabels },
      podMetricsEndpoints: [
        {
          ...{ port: 'tcp-prometheus', path: '/metrics', interval: '15s' },
          relabelings: [{ targetLabel: 'job', replacement: job }]
        }
      ]
    }
  }
}

function rule(file: string): IPrometheusRule {
  const { groups } = parse(readFileSync(join(rules, file), 'utf8')) as Required<Pick<IPrometheusRule['spec'], 'groups'>>
  const own = groups.map(group => ({
    ...group,
    rules: group.rules?.map(each => ({
      ...each,
      expr: scoped(String(each.expr)),
      // Aggregations drop the label of their series.
      labels: { namespace, ...each.labels }
    }))
  }))
  return {
    apiVersion,
    kind: 'PrometheusRule',
    metadata: { name: `orderly-${file.replace(/\.yml$/, '')}`, labels: labels('orderly') },
    spec: { groups: own as typeof groups }
  }
}

/**
 * Limits an expression to the series of this namespace, so that two installations in one cluster do
 * not share their alerts. Series about Postgres and certificates have the namespace of an exporter,
 * which may be another one, and are not limited.
 */
export function scoped(expression: string): string {
  const metric = /(?<![\w:"])(orderly[_:][\w:]+|up|kafka_\w+|nodejs_\w+|kubelet_\w+|node_\w+)(?![\w:(])(\{)?/g
  const selector = `{namespace="${namespace}"`
  return expression
    .replace(metric, (_, name, brace) => `${name}${selector}${brace === undefined ? '}' : ','}`)
    .replaceAll('{__name__', `${selector},__name__`)
}
