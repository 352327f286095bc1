import { eventID, failureReasons, settlementName } from '@orderly/contracts'
import type { Confirmation, Creation, Decision, OrderChange, Place, Release } from './order-change.ts'

/** An accepted order with its outcome and later transitions, as far as they are known. */
export interface Order {
  readonly orderID: string
  readonly userID: string
  readonly created: Omit<Creation, keyof Place>
  readonly decided?: Decision
  readonly confirmed?: Confirmation
  readonly released?: Release
}

/**
 * Statuses of an order. Transitions:
 *
 * - **accepted** → **reserved** or **failed**, or **cancelled** if the cancel precedes the outcome
 * - reserved → **confirmed** or **expired**, for an order with a hold
 * - reserved, confirmed → **cancelled**
 */
export const orderStatuses = ['accepted', 'reserved', 'confirmed', 'failed', 'cancelled', 'expired'] as const
export type OrderStatus = (typeof orderStatuses)[number]

/** Statuses without a further transition. An order in any other status can still be cancelled. */
const finalStatuses: ReadonlySet<OrderStatus> = new Set(['failed', 'cancelled', 'expired'])

/** A status change of an order. */
export interface StatusEvent {
  /** Id of the Kafka event that caused the change. It is the same on all instances. */
  readonly id: string
  readonly status: OrderStatus
  readonly atMs: number
  /** True if no later change is possible. */
  readonly isFinal: boolean
}

/**
 * Returns the order, or undefined while its acceptance is unknown. Omits a confirmation and a
 * release while the outcome is unknown.
 */
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

/**
 * Returns true if the order is decided without an open hold: only a cancel can change its status.
 */
export function isSettled(order: Order): boolean {
  return hasOutcome(order) && !isHeld(order)
}

/** Returns true if the order has an open hold: not confirmed, cancelled or expired. */
export function isHeld({ decided, confirmed, released }: Order): boolean {
  const hasHold = decided?.kind === 'reserved' && decided.holdUntilMs !== undefined
  return hasHold && confirmed === undefined && released === undefined
}

/** Returns the known status changes, in order. */
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

/** Returns the status changes after the one with id `lastID`, or all for an unknown id. */
export function statusEventsAfter(order: Order, lastID: string | undefined): StatusEvent[] {
  const events = statusEvents(order)
  return events.slice(events.findIndex(({ id }) => id === lastID) + 1)
}
