import { eventID, failureReasons, settlementName } from '@orderly/contracts'
import type { Confirmation, Creation, Decision, OrderChange, Place, Release } from './order-change.ts'

/** An order that was accepted, with its outcome once it has one, and what became of it later. */
export interface Order {
  readonly orderID: string
  readonly userID: string
  readonly created: Omit<Creation, keyof Place>
  readonly decided?: Decision
  readonly confirmed?: Confirmation
  readonly released?: Release
}

/**
 * **accepted** → **reserved** or **failed**, or **cancelled** before that was decided. With a hold, reserved → **confirmed** or
 * **expired**. Reserved and confirmed → **cancelled**.
 */
export const orderStatuses = ['accepted', 'reserved', 'confirmed', 'failed', 'cancelled', 'expired'] as const
export type OrderStatus = (typeof orderStatuses)[number]

/** Nothing comes behind these. All others may still be cancelled, by whoever may. */
const finalStatuses: ReadonlySet<OrderStatus> = new Set(['failed', 'cancelled', 'expired'])

/** One step of an order's life. */
export interface StatusEvent {
  /** The id of the event that made it so, hence the same wherever and however often it is told. */
  readonly id: string
  readonly status: OrderStatus
  readonly atMs: number
  /** Whether the status stays as it is whatever anybody does. */
  readonly isFinal: boolean
}

/** Undefined while its acceptance is not known. What became of it after its outcome does not show before that does. */
export function orderOf({ orderID, userID, created, decided, confirmed, released }: OrderChange): Order | undefined {
  if (created === undefined) return undefined
  return {
    orderID,
    userID,
    created: withoutPlace(created),
    ...(decided && { decided: withoutPlace(decided) as Decision }),
    ...(decided && confirmed && { confirmed: withoutPlace(confirmed) }),
    ...(decided && released && { released: withoutPlace(released) })
  }
}

function withoutPlace<Fact extends Place>({
  partition: _,
  offset: __,
  topicID: ___,
  ...fact
}: Fact): Omit<Fact, keyof Place> {
  return fact
}

export function statusOf(order: Order): OrderStatus {
  return statusEvents(order).at(-1)?.status ?? 'accepted'
}

export function isFinal(order: Order): boolean {
  return finalStatuses.has(statusOf(order))
}

export function hasOutcome(order: Order): boolean {
  return order.decided !== undefined
}

/** Whether the status stays as it is unless somebody cancels the order. */
export function isSettled(order: Order): boolean {
  return hasOutcome(order) && !isHeld(order)
}

/** Whether its stock is waiting for a confirmation. */
export function isHeld({ decided, confirmed, released }: Order): boolean {
  const hasHold = decided?.kind === 'reserved' && decided.holdUntilMs !== undefined
  return hasHold && confirmed === undefined && released === undefined
}

/** Returns the steps up to now, in their sequence. Each has the id of the event that made it. */
export function statusEvents({ orderID, created, decided, confirmed, released }: Order): StatusEvent[] {
  const event = (type: string, status: OrderStatus, atMs: number, requestID = '') => ({
    ...{ id: eventID(type, settlementName({ orderID, requestID })), status, atMs },
    isFinal: finalStatuses.has(status)
  })
  const events = [event('OrderCreated', 'accepted', created.acceptedAtMs)]
  if (decided?.kind === 'reserved') events.push(event('InventoryReserved', 'reserved', decided.decidedAtMs))
  if (decided?.kind === 'failed') {
    const status = decided.reason === failureReasons.cancelled ? 'cancelled' : 'failed'
    events.push(event('InventoryFailed', status, decided.decidedAtMs))
  }
  if (confirmed) events.push(event('InventoryConfirmed', 'confirmed', confirmed.confirmedAtMs, confirmed.requestID))
  if (released) {
    const status = released.cause === 'expired' ? 'expired' : 'cancelled'
    events.push(event('InventoryReleased', status, released.releasedAtMs, released.requestID))
  }
  return events
}

/** The steps behind the one with this id; all of them when the id is none of this order's. */
export function statusEventsAfter(order: Order, lastID: string | undefined): StatusEvent[] {
  const events = statusEvents(order)
  return events.slice(events.findIndex(({ id }) => id === lastID) + 1)
}
