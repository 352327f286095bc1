import { eventID, type InventoryFailed, type InventoryReserved, type Shortage } from '@orderly/contracts'

export type Outcome = InventoryReserved | InventoryFailed

interface About {
  /** The id of the event it tells of: the same however often it is sent. */
  readonly id: string
  readonly orderID: string
  readonly userID: string
  /** When what it tells of was decided. */
  readonly decidedAtMs: number
}

export interface OrderConfirmed extends About {
  readonly kind: 'order-confirmed'
  readonly items: InventoryReserved['items']
}

export interface OutOfStock extends About {
  readonly kind: 'out-of-stock'
  readonly reason: string
  readonly shortages: readonly Shortage[]
}

/** What somebody is to be told: facts, in no language yet. A further kind needs its words in every file of `wording/`. */
export type Notification = OrderConfirmed | OutOfStock

export type NotificationKind = Notification['kind']

export function notificationFor(outcome: Outcome): Notification {
  const { orderID, userID, decidedAtMs } = outcome
  if ('shortages' in outcome) {
    const { reason, shortages } = outcome
    const id = eventID('InventoryFailed', orderID)
    return { id, kind: 'out-of-stock', orderID, userID, decidedAtMs, reason, shortages }
  }
  const id = eventID('InventoryReserved', orderID)
  return { id, kind: 'order-confirmed', orderID, userID, decidedAtMs, items: outcome.items }
}
