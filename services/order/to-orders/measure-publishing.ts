import { Histogram, type Registry } from 'prom-client'
import type { PublishOrder } from './publish-orders.ts'

/**
 * Measures the time to store an accepted order. The count of the histogram is the number of
 * accepted orders.
 */
export function measurePublishing(publish: PublishOrder, metrics: Registry): PublishOrder {
  const duration = new Histogram({
    name: 'orderly_order_publish_duration_seconds',
    help: 'Time from handing an order to the producer to its acknowledgement by all in-sync replicas.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics]
  })
  return async (...order) => {
    const startMs = performance.now()
    await publish(...order)
    duration.observe((performance.now() - startMs) / 1_000)
  }
}
