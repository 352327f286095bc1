import type { OrderCreated } from '@orderly/contracts'

/** An order that its caller named with an idempotency key. */
export interface KeyedOrder {
  /** Who places it; undefined where nobody is asked. Keys of different callers have nothing to do with each other. */
  readonly caller: string | undefined
  readonly key: string
  readonly traceparent: string
  /** The order, once it has an id and a time. */
  readonly accept: (given: { orderID: string; nowMs: number }) => OrderCreated
}

export type Placement =
  /** It is in the topic. A replay was so before this request. */
  | { readonly kind: 'placed'; readonly orderID: string; readonly traceparent: string; readonly isReplay: boolean }
  /** Another request with this key is being worked on. */
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  /** The key belongs to another order. */
  | { readonly kind: 'other-body' }
