import {
  eventID,
  failureReasons,
  type InventoryConfirmed,
  type InventoryFailed,
  type InventoryReleased,
  type InventoryReserved,
  isoTime,
  type Shortage,
  settlementName
} from '@orderly/contracts'

/** An event that users are notified about: the outcome of an order, or a later change. */
export type Result = InventoryReserved | InventoryFailed | InventoryConfirmed | InventoryReleased

interface About {
  /** Event id; the same for every attempt. */
  readonly id: string
  readonly orderID: string
  readonly userID: string
  /** Caller that placed the order; absent for an order without one. */
  readonly caller?: string
  /** Time of the decision. */
  readonly decidedAtMs: number
}

interface AboutItems extends About {
  readonly items: InventoryReserved['items']
}

/** The order was reserved. An order without a hold needs no confirmation. */
export interface OrderReserved extends AboutItems {
  readonly kind: 'order-reserved'
  /**
   * End of the hold (ISO 8601), by which the order must be confirmed; absent for an order without a
   * hold.
   */
  readonly holdUntil?: string
}

/** The hold of the order was confirmed. */
export interface OrderConfirmed extends AboutItems {
  readonly kind: 'order-confirmed'
}

/** A cancellation; `items` is empty if the order was cancelled before anything was reserved. */
export interface OrderCancelled extends AboutItems {
  readonly kind: 'order-cancelled'
}

/** The hold ended without a confirmation. */
export interface OrderExpired extends AboutItems {
  readonly kind: 'order-expired'
}

export interface OrderFailed extends About {
  readonly kind: 'order-failed'
  /** A value of `failureReasons`, or a reason that this version does not know. */
  readonly reason: string
  readonly shortages: readonly Shortage[]
}

/**
 * A change of an order's status, independent of language. The kind is `order-` followed by the
 * status.
 */
export type Notification = OrderReserved | OrderConfirmed | OrderFailed | OrderCancelled | OrderExpired

export type NotificationKind = Notification['kind']

export function notificationFor(result: Result, caller?: string): Notification {
  const { orderID, userID } = result
  const owner = { userID, ...(caller !== undefined && { caller }) }
  const about = (eventType: string, decidedAtMs: number, requestID = '') => {
    return { id: eventID(eventType, settlementName({ orderID, requestID })), orderID, ...owner, decidedAtMs }
  }
  if ('shortages' in result) {
    const { reason, shortages, decidedAtMs } = result
    const failed = about('InventoryFailed', decidedAtMs)
    if (reason === failureReasons.cancelled) return { kind: 'order-cancelled', ...failed, items: [] }
    return { kind: 'order-failed', ...failed, reason, shortages }
  }
  const { items } = result
  if ('confirmedAtMs' in result) {
    return { kind: 'order-confirmed', ...about('InventoryConfirmed', result.confirmedAtMs, result.requestID), items }
  }
  if ('releasedAtMs' in result) {
    const kind = result.cause === 'expired' ? 'order-expired' : 'order-cancelled'
    return { kind, ...about('InventoryReleased', result.releasedAtMs, result.requestID), items }
  }
  const { holdUntilMs, decidedAtMs } = result
  const reserved = about('InventoryReserved', decidedAtMs)
  return {
    kind: 'order-reserved',
    ...reserved,
    items,
    ...(holdUntilMs !== null && { holdUntil: isoTime(holdUntilMs) })
  }
}
