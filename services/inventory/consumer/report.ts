import { type Logger, type Metrics, traceFields } from '@orderly/service-kit'
import { Counter, Histogram } from 'prom-client'
import { changeKinds } from '../domain/change.ts'
import type { HandledOrder, OrderStageOptions } from './order-stage.ts'

const summaryIntervalMs = 60_000

/**
 * Counts outcomes, and logs each order at debug level and a summary once a minute at info level.
 */
export function reportDecided(
  metrics: Metrics,
  logger: Logger,
  nowMs: () => number = Date.now
): NonNullable<OrderStageOptions['onDecided']> {
  const outcomes = new Counter({
    name: 'orderly_inventory_outcomes_total',
    help: 'New outcomes by kind.',
    labelNames: ['kind'],
    registers: [metrics]
  })
  const replays = new Counter({
    name: 'orderly_inventory_replayed_outcomes_total',
    help: 'Outcomes published again because their order was read again.',
    registers: [metrics]
  })
  const duration = new Histogram({
    name: 'orderly_inventory_decide_duration_seconds',
    help: 'Time that the store takes to decide a batch.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics]
  })
  for (const kind of ['reserved', 'failed']) outcomes.inc({ kind }, 0)
  let summary = { reserved: 0, failed: 0, replayed: 0 }
  let summarizedAtMs = nowMs()

  return (orders, durationMs) => {
    const batch = { reserved: 0, failed: 0, replayed: 0 }
    for (const { outcome, isReplay } of orders) batch[isReplay ? 'replayed' : outcome.kind]++
    outcomes.inc({ kind: 'reserved' }, batch.reserved)
    outcomes.inc({ kind: 'failed' }, batch.failed)
    replays.inc(batch.replayed)
    duration.observe(durationMs / 1000)
    if (logger.isLevelEnabled('debug')) for (const order of orders) logOrder(logger, order)

    summary = {
      reserved: summary.reserved + batch.reserved,
      failed: summary.failed + batch.failed,
      replayed: summary.replayed + batch.replayed
    }
    if (nowMs() - summarizedAtMs < summaryIntervalMs) return
    logger.info(summary, 'orders decided')
    summary = { reserved: 0, failed: 0, replayed: 0 }
    summarizedAtMs = nowMs()
  }
}

function logOrder(logger: Logger, { record, outcome, isReplay, traceparent }: HandledOrder): void {
  const { orderID, userID } = outcome.event
  const { partition, offset } = record
  logger.debug(
    {
      orderID,
      userID,
      outcome: outcome.kind,
      isReplay,
      ...(outcome.kind === 'failed' && { shortages: outcome.event.shortages }),
      partition,
      offset: String(offset),
      ...traceFields(traceparent)
    },
    'order decided'
  )
}

const effects = ['released', 'confirmed', 'cancelled', 'none'] as const

/** Counts change requests by effect, and logs each one at debug level. */
export function reportChanged(metrics: Metrics, logger: Logger): NonNullable<OrderStageOptions['onChanged']> {
  const counter = new Counter({
    name: 'orderly_inventory_changes_total',
    help: 'Change requests by effect: released, confirmed, cancelled (the order was undecided), none. Records that are read again are not counted.',
    labelNames: ['change', 'effect'],
    registers: [metrics]
  })
  for (const change of changeKinds) for (const effect of effects) counter.inc({ change, effect }, 0)

  return changes => {
    for (const { record, effect, isReplay, traceparent } of changes) {
      const { orderID, userID, change } = record.event
      if (!isReplay) counter.inc({ change, effect })
      if (!logger.isLevelEnabled('debug')) continue
      const position = { partition: record.partition, offset: String(record.offset) }
      logger.debug(
        { orderID, userID, change, effect, isReplay, ...position, ...traceFields(traceparent) },
        'change decided'
      )
    }
  }
}
