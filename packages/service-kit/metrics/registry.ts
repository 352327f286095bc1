import { collectDefaultMetrics, Registry } from 'prom-client'

export type { Registry as Metrics } from 'prom-client'

/** Gauges with the suffix `_total`, which is for counters. */
const misnamed = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total']

/**
 * Creates the registry of a service with process metrics: memory, garbage collection, event loop
 * lag.
 */
export function createMetrics(service: string): Registry {
  const metrics = new Registry()
  metrics.setDefaultLabels({ service })
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: 10 })
  for (const name of misnamed) metrics.removeSingleMetric(name)
  return metrics
}
