import type { OrderCreated } from '@orderly/contracts'
import { ProblemError } from '@orderly/service-kit'
import { Counter, type Registry } from 'prom-client'
import { acceptOrder, type PlaceOrder } from '../domain/accept-order.ts'
import { newOrderID } from '../order-id.ts'
import type { Placement } from '../store/idempotency-keys.ts'

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

export interface PlaceOptions {
  readonly publishOrder: (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>
  readonly placeIdempotently: (command: PlaceOrder, context: OrderContext & { key: string }) => Promise<Placement>
  readonly metrics: Registry
  readonly nowMs: () => number
}

/**
 * Creates the function that places orders and counts them by what was returned. If placing throws,
 * only the metric of HTTP problems counts the request.
 */
export function createPlace({ publishOrder, placeIdempotently, metrics, nowMs }: PlaceOptions): Place {
  const placed = new Counter({
    name: 'orderly_orders_placed_total',
    help: 'Orders by result: accepted, replayed (the key already had its order), or why the key was refused.',
    labelNames: ['outcome'],
    registers: [metrics]
  })
  for (const outcome of ['accepted', 'replayed']) placed.inc({ outcome }, 0)

  return async (command, { key, traceparent, caller }) => {
    if (key === undefined) {
      const order = acceptOrder(command, { orderID: newOrderID(), nowMs: nowMs() })
      await publishOrder(order, traceparent, caller)
      placed.inc({ outcome: 'accepted' })
      return { kind: 'placed', orderID: order.orderID, traceparent, isReplay: false }
    }
    const placement = await placeIdempotently(command, { key, traceparent, caller })
    const { kind } = placement
    placed.inc({ outcome: kind !== 'placed' ? kind : placement.isReplay ? 'replayed' : 'accepted' })
    return placement
  }
}

/** Returns the problem of an order that was not placed. */
export function refusalOf({ kind }: Exclude<Placement, { kind: 'placed' }>): ProblemError {
  if (kind === 'in-flight') {
    const detail = 'Another request with this idempotency key is in flight. Try again later.'
    return new ProblemError(409, 'IDEMPOTENCY_KEY_IN_USE', detail)
  }
  const detail = 'This idempotency key belongs to another order. Use a separate key for each order.'
  return new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
}
