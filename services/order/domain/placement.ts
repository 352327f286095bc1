import type { OrderCreated } from '@orderly/contracts'

/** An order with an idempotency key. */
export interface KeyedOrder {
  /** Caller that places the order; undefined if authentication is off. Keys are per caller. */
  readonly caller: string | undefined
  readonly key: string
  readonly traceparent: string
  /** Returns the order with the given id and time. */
  readonly accept: (given: { orderID: string; nowMs: number }) => OrderCreated
}

export type Placement =
  /** The order is in the topic. `isReplay` is true if an earlier request had the same key. */
  | { readonly kind: 'placed'; readonly orderID: string; readonly traceparent: string; readonly isReplay: boolean }
  /** Another request with this key is in flight. */
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  /** The key belongs to another order. */
  | { readonly kind: 'key-conflict' }
