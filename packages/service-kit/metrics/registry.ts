import { collectDefaultMetrics, Registry } from 'prom-client'

export type { Registry as Metrics } from 'prom-client'

/** The service's metrics with those of the process: memory, garbage collection, delay of the event loop. */
export function createMetrics(service: string): Registry {
  const metrics = new Registry()
  metrics.setDefaultLabels({ service })
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: 10 })
  return metrics
}
