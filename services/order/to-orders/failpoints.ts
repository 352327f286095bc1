import { channel } from 'node:diagnostics_channel'

/**
 * Failpoints of an order with a key. A crash at any of them must not change the result. A tracer,
 * or a test that kills the process at a failpoint, subscribes to the diagnostics channel
 * `orderly:keyed-order`.
 */
export type KeyedOrderFailpoint = 'slot-reserved' | 'key-claimed' | 'order-written' | 'key-settled'

const keyedOrders = channel('orderly:keyed-order')

export function failpoint(point: KeyedOrderFailpoint): void {
  if (keyedOrders.hasSubscribers) keyedOrders.publish({ point })
}
