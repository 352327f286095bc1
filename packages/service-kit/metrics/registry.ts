import { collectDefaultMetrics, Registry } from 'prom-client'

export type { Registry as Metrics } from 'prom-client'

/** Gauges that the library names as counters are named. */
const misnamed = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total']

/** The service's metrics with those of the process: memory, garbage collection, delay of the event loop. */
export function createMetrics(service: string): Registry {
  const metrics = new Registry()
  metrics.setDefaultLabels({ service })
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: 10 })
  for (const name of misnamed) metrics.removeSingleMetric(name)
  return metrics
}
