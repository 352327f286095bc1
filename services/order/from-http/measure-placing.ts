import { Counter, type Registry } from 'prom-client'
import type { Place } from './place.ts'

/**
 * Counts orders by what was returned. If placing throws, only the metric of HTTP problems counts
 * the request.
 */
export function measurePlacing(place: Place, metrics: Registry): Place {
  const placed = new Counter({
    name: 'orderly_orders_placed_total',
    help: 'Orders by result: accepted, replayed (the key already had its order), or why the key was refused.',
    labelNames: ['outcome'],
    registers: [metrics]
  })
  for (const outcome of ['accepted', 'replayed']) placed.inc({ outcome }, 0)
  return async (...order) => {
    const placement = await place(...order)
    placed.inc({ outcome: placement.kind !== 'placed' ? placement.kind : placement.isReplay ? 'replayed' : 'accepted' })
    return placement
  }
}
