import {
  eventID,
  type OrderStatus,
  orderStatusOf,
  settlementName,
  statusOfFailure,
  statusOfRelease
} from '@orderly/contracts'
import type { Confirmation, Creation, Decision, Position, Release } from './order-change.ts'

/** An accepted order with its outcome and later transitions, as far as they are known. */
export interface Order {
  readonly orderID: string
  readonly userID: string
  readonly created: Omit<Creation, keyof Position>
  readonly decided?: Decision
  readonly confirmed?: Confirmation
  readonly released?: Release
}

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

export function statusOf({ decided, confirmed, released }: Order): OrderStatus {
  return orderStatusOf({
    outcome: decided?.kind,
    reason: decided?.kind === 'failed' ? decided.reason : null,
    isConfirmed: confirmed !== undefined,
    isReleased: released !== undefined,
    releaseCause: released?.cause ?? null
  })
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
    events.push(event('InventoryFailed', statusOfFailure(decided.reason), decided.decidedAtMs))
  }
  if (confirmed) events.push(event('InventoryConfirmed', 'confirmed', confirmed.confirmedAtMs, confirmed.requestID))
  if (released) {
    const status = statusOfRelease(released.cause)
    events.push(event('InventoryReleased', status, released.releasedAtMs, released.requestID))
  }
  return events
}

/** Returns the status changes after the one with id `lastID`, or all for an unknown id. */
export function statusEventsAfter(order: Order, lastID: string | undefined): StatusEvent[] {
  const events = statusEvents(order)
  return events.slice(events.findIndex(({ id }) => id === lastID) + 1)
}
