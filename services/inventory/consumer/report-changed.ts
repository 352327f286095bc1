import { type Logger, type Metrics, traceFields } from '@orderly/service-kit'
import { Counter } from 'prom-client'
import { changeKinds } from '../domain/change.ts'
import type { OrderStageParts } from './order-stage.ts'

const effects = ['released', 'confirmed', 'cancelled', 'none'] as const

/** Counts change requests by effect, and logs each one at debug level. */
export function reportChanged(metrics: Metrics, logger: Logger): NonNullable<OrderStageParts['onChanged']> {
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
      const place = { partition: record.partition, offset: String(record.offset) }
      logger.debug(
        { orderID, userID, change, effect, isReplay, ...place, ...traceFields(traceparent) },
        'change decided'
      )
    }
  }
}
