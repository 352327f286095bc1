import type { OrderCreated } from '@orderly/contracts'
import { acceptOrder, type PlaceOrder } from '../domain/accept-order.ts'
import type { KeyedOrder, Placement } from '../domain/placement.ts'
import { onlyCaller } from './caller.ts'
import { checkTotal } from './check-total.ts'

export interface PlaceOptions {
  readonly publish: (order: OrderCreated, traceparent: string) => Promise<void>
  readonly placeOnce: (order: KeyedOrder) => Promise<Placement>
  readonly newOrderID: () => string
  readonly nowMs: () => number
}

/** Places an order whose fields have been checked. @throws ProblemError 400, or what publishing it fails with */
export type Place = (command: PlaceOrder, key: string | undefined, traceparent: string) => Promise<Placement>

export function createPlace({ publish, placeOnce, newOrderID, nowMs }: PlaceOptions): Place {
  return async (command, key, traceparent) => {
    checkTotal(command)
    if (key !== undefined) {
      return placeOnce({ caller: onlyCaller, key, traceparent, accept: given => acceptOrder(command, given) })
    }
    const order = acceptOrder(command, { orderID: newOrderID(), nowMs: nowMs() })
    await publish(order, traceparent)
    return { kind: 'placed', orderID: order.orderID, traceparent, isReplay: false }
  }
}
