import type { OrderItem, Shortage } from '@orderly/contracts'

/** The position of a record. */
export interface Place {
  readonly partition: number
  readonly offset: number
  /** Id of the topic that the offset belongs to; absent when it is unknown. */
  readonly topicID?: string | undefined
}

export interface Creation extends Place {
  readonly items: readonly OrderItem[]
  readonly totalMinor: number
  readonly currency: string
  readonly acceptedAtMs: number
  readonly holdSeconds?: number
  readonly traceID?: string
  /** Who placed it; absent where nobody was asked. */
  readonly caller?: string
}

export type Decision = { readonly decidedAtMs: number } & (
  | { readonly kind: 'reserved'; readonly holdUntilMs?: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly shortages: readonly Shortage[] }
)

/** The stock of an order with a hold stays reserved. */
export interface Confirmation {
  readonly confirmedAtMs: number
  /** The change request that it answers; empty for one without an id. */
  readonly requestID: string
}

/** The stock of an order was given back. */
export interface Release {
  readonly releasedAtMs: number
  /** The change request that it answers; empty for one without an id. */
  readonly requestID: string
  readonly cause: string
}

/** What one or more records say about an order: that it was accepted, decided, confirmed, released, in whichever sequence. */
export interface OrderChange {
  readonly orderID: string
  readonly userID: string
  readonly created?: Creation
  readonly decided?: Decision & Place
  readonly confirmed?: Confirmation & Place
  readonly released?: Release & Place
}

/**
 * The later one adds what the earlier one does not know; what is known stays. So changes may come again and in any sequence: as
 * each of these happens to an order once, the same records make the same order.
 */
export function mergeChange(earlier: OrderChange | undefined, later: OrderChange): OrderChange {
  return { ...later, ...earlier }
}

/** One change for each order of a batch. */
export function mergeChanges(changes: readonly OrderChange[]): OrderChange[] {
  const byOrder = new Map<string, OrderChange>()
  for (const change of changes) byOrder.set(change.orderID, mergeChange(byOrder.get(change.orderID), change))
  return [...byOrder.values()]
}
