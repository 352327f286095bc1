import type { Metrics } from '@orderly/service-kit'
import { Gauge } from 'prom-client'
import { type Window, windowMs, windowStartOf } from '../domain/window.ts'

/**
 * What `metrics.order.rate` says of the minute under way and of the one before, as a gauge. A minute that nothing was published
 * of had no order. An instance that no longer publishes comes to say 0, so the greatest among the instances counts.
 */
export function publishedRates(metrics: Metrics, nowMs: () => number) {
  const orders = new Map<number, number>()
  const current = () => windowStartOf(nowMs())
  new Gauge({
    name: 'orderly_order_rate_orders',
    help: 'Orders of a minute as last published to metrics.order.rate; the greatest among the instances counts.',
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
