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

export interface OrderConfirmed extends AboutItems {
  readonly kind: 'order-confirmed'
}

/** Reserved, but somebody has to confirm it. */
export interface OrderHeld extends AboutItems {
  readonly kind: 'order-held'
  /** ISO 8601. */
  readonly holdUntil: string
}

/** Without items when it was cancelled before anything was reserved. */
export interface OrderCancelled extends AboutItems {
  readonly kind: 'order-cancelled'
}

/** Nobody has confirmed it in time. */
export interface OrderExpired extends AboutItems {
  readonly kind: 'order-expired'
}

interface AboutFailure extends About {
  readonly reason: string
  readonly shortages: readonly Shortage[]
}

export interface OutOfStock extends AboutFailure {
  readonly kind: 'out-of-stock'
}

export interface UnknownSKU extends AboutFailure {
  readonly kind: 'unknown-sku'
}

/** Failed for a reason that this version does not know. */
export interface OrderFailed extends AboutFailure {
  readonly kind: 'order-failed'
}

/** What somebody is to be told: facts, in no language yet. A further kind needs its words in every file of `wording/`. */
export type Notification =
  | OrderConfirmed
  | OrderHeld
  | OrderCancelled
  | OrderExpired
  | OutOfStock
  | UnknownSKU
  | OrderFailed

export type NotificationKind = Notification['kind']

const failureKinds: ReadonlyMap<string, 'out-of-stock' | 'unknown-sku'> = new Map([
  [failureReasons.outOfStock, 'out-of-stock'],
  [failureReasons.unknownSKU, 'unknown-sku']
])

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
    return { kind: failureKinds.get(reason) ?? 'order-failed', ...failed, reason, shortages }
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
  if (holdUntilMs === null) return { kind: 'order-confirmed', ...reserved, items }
  return { kind: 'order-held', ...reserved, items, holdUntil: isoTime(holdUntilMs) }
}
