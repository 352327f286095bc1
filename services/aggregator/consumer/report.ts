import type { Logger, Metrics } from '@orderly/service-kit'
import { Counter, Gauge, Histogram } from 'prom-client'
import type { CountSummary } from '../domain/count-orders.ts'
import { type Window, windowKey, windowMs, windowStartOf } from '../domain/window.ts'
import type { RateStageOptions } from './rate-stage.ts'

type Reports = Required<Pick<RateStageOptions, 'onCounted' | 'onPublished' | 'onComplete'>>

const labels: Readonly<Record<keyof CountSummary, string>> = {
  inTime: 'in-time',
  late: 'late',
  unplaced: 'unplaced',
  repeated: 'repeated'
}

/** Exports the metrics of the stage, and logs late and unplaced orders and final minutes. */
export function reportCounted(metrics: Metrics, logger: Logger, nowMs: () => number = Date.now): Reports {
  const registers = [metrics]
  const orders = new Counter({
    name: 'orderly_aggregator_orders_total',
    help: 'Orders read, by result: in-time, late (not in the orders of their minute), unplaced (their minute is no longer kept), repeated (counted earlier).',
    labelNames: ['kind'],
    registers
  })
  const duration = new Histogram({
    name: 'orderly_aggregator_count_duration_seconds',
    help: 'Time that the store takes to count a batch.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers
  })
  const published = new Counter({
    name: 'orderly_aggregator_published_revisions_total',
    help: 'Revisions of minutes published to metrics.order.rate.',
    registers
  })
  const rates = publishedRates(metrics, nowMs)
  const complete = new Gauge({
    name: 'orderly_aggregator_complete_until_timestamp_seconds',
    help: 'Time before which all written orders are counted. Set by the instance that publishes; take the maximum over instances.',
    registers
  })
  const kinds = Object.entries(labels) as [keyof CountSummary, string][]
  for (const [, kind] of kinds) orders.inc({ kind }, 0)

  return {
    onCounted(summary, durationMs) {
      for (const [field, kind] of kinds) orders.inc({ kind }, summary[field])
      duration.observe(durationMs / 1000)
      if (summary.late + summary.unplaced > 0)
        logger.warn({ event: 'orders_late', ...summary }, 'orders were written too late for their minute')
    },
    onPublished(windows) {
      published.inc(windows.length)
      rates.published(windows)
      for (const { startMs, orders, late, isFinal } of windows)
        if (isFinal) logger.info({ window: windowKey(startMs), orders, late }, 'minute is final')
    },
    onComplete(completeUntilMs) {
      if (completeUntilMs !== undefined) complete.set(completeUntilMs / 1000)
    }
  }
}

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
