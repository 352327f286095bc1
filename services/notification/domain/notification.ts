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

/** What users are told of: the outcome of an order, and what became of it later. */
export type Result = InventoryReserved | InventoryFailed | InventoryConfirmed | InventoryReleased

interface About {
  /** The id of the event it tells of: the same however often it is sent. */
  readonly id: string
  readonly orderID: string
  readonly userID: string
  /** The caller that placed the order; absent for an order without one. */
  readonly caller?: string
  /** When what it tells of was decided. */
  readonly decidedAtMs: number
}

interface AboutItems extends About {
  readonly items: InventoryReserved['items']
}

/** An order without a hold is complete then. */
export interface OrderReserved extends AboutItems {
  readonly kind: 'order-reserved'
  /** End of the hold (ISO 8601), by which the order must be confirmed; absent for an order without one. */
  readonly holdUntil?: string
}

/** The hold of the order was confirmed. */
export interface OrderConfirmed extends AboutItems {
  readonly kind: 'order-confirmed'
}

/** Without items when it was cancelled before anything was reserved. */
export interface OrderCancelled extends AboutItems {
  readonly kind: 'order-cancelled'
}

/** The hold ended before it was confirmed. */
export interface OrderExpired extends AboutItems {
  readonly kind: 'order-expired'
}

export interface OrderFailed extends About {
  readonly kind: 'order-failed'
  /** One of `failureReasons`, or one that this version does not know. */
  readonly reason: string
  readonly shortages: readonly Shortage[]
}

/** A change of an order's status, in no language yet. The kind is `order-` and the status. */
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
