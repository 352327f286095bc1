import type { OrderCreated } from '@orderly/contracts'
import { acceptOrder, type PlaceOrder } from '../domain/accept-order.ts'
import type { KeyedOrder, Placement } from '../domain/placement.ts'

export interface PlaceOptions {
  readonly publish: (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>
  readonly placeIdempotently: (order: KeyedOrder) => Promise<Placement>
  readonly newOrderID: () => string
  readonly nowMs: () => number
}

export interface OrderContext {
  readonly key: string | undefined
  readonly traceparent: string
  /** Caller that places the order; undefined if authentication is off. */
  readonly caller: string | undefined
}

/**
 * Places a validated order.
 * @throws KafkaError if it cannot be published; StoreUnavailableError if its key cannot be claimed
 */
export type Place = (command: PlaceOrder, context: OrderContext) => Promise<Placement>

export function createPlace({ publish, placeIdempotently, newOrderID, nowMs }: PlaceOptions): Place {
  return async (command, { key, traceparent, caller }) => {
    if (key !== undefined) {
      return placeIdempotently({ caller, key, traceparent, accept: given => acceptOrder(command, given) })
    }
    const order = acceptOrder(command, { orderID: newOrderID(), nowMs: nowMs() })
    await publish(order, traceparent, caller)
    return { kind: 'placed', orderID: order.orderID, traceparent, isReplay: false }
  }
}
