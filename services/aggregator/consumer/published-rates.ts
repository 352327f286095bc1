import type { Metrics } from '@orderly/service-kit'
import { Gauge } from 'prom-client'
import { type Window, windowMs, windowStartOf } from '../domain/window.ts'

/**
 * Exports the published orders of the current and the previous minute as a gauge. A minute without
 * a record in `metrics.order.rate` had no orders. An instance that no longer publishes falls to 0,
 * so queries must take the maximum over all instances.
 */
export function publishedRates(metrics: Metrics, nowMs: () => number) {
  const orders = new Map<number, number>()
  const current = () => windowStartOf(nowMs())
  new Gauge({
    name: 'orderly_order_rate_orders',
    help: 'Orders of the current and the previous minute as last published to metrics.order.rate; take the maximum over instances.',
    labelNames: ['minute'],
    registers: [metrics],
    collect() {
      this.set({ minute: 'current' }, orders.get(current()) ?? 0)
      this.set({ minute: 'previous' }, orders.get(current() - windowMs) ?? 0)
    }
  })
  return {
    published(windows: readonly Window[]): void {
      for (const window of windows) orders.set(window.startMs, window.orders)
      for (const startMs of orders.keys()) if (startMs < current() - windowMs) orders.delete(startMs)
    }
  }
}
