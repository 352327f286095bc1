import { channel } from 'node:diagnostics_channel'

/**
 * The moments of a keyed order between which a crash must make no difference. Who wants to know when they pass (a tracer, or a
 * test that kills the process just then) subscribes to the diagnostics channel `orderly:keyed-order`.
 */
export type KeyedOrderPoint = 'slot-reserved' | 'key-claimed' | 'order-written' | 'key-settled'

const keyedOrders = channel('orderly:keyed-order')

export function passPoint(point: KeyedOrderPoint): void {
  if (keyedOrders.hasSubscribers) keyedOrders.publish({ point })
}
