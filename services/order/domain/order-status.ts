import type { Creation, Decision, OrderChange } from './order-change.ts'

/** An order that was accepted, with its outcome once it has one. */
export interface Order {
  readonly orderID: string
  readonly userID: string
  readonly created: Omit<Creation, 'partition' | 'offset'>
  readonly decided?: Decision
}

export type OrderStatus = 'accepted' | 'reserved' | 'failed'

/** One step of an order's life. */
export interface StatusEvent {
  /** The id of the event that made it so, hence the same wherever and however often it is told. */
  readonly id: string
  readonly status: OrderStatus
  readonly atMs: number
}

/** Undefined while only the outcome is known. */
export function orderOf({ orderID, userID, created, decided }: OrderChange): Order | undefined {
  if (created === undefined) return undefined
  const { partition: _, offset: __, ...creation } = created
  if (decided === undefined) return { orderID, userID, created: creation }
  const { partition: ___, offset: ____, ...decision } = decided
  return { orderID, userID, created: creation, decided: decision }
}

export function statusOf(order: Order): OrderStatus {
  return order.decided?.kind ?? 'accepted'
}

/** Whether the status stays as it is. */
export function isFinal(order: Order): boolean {
  return order.decided !== undefined
}

const eventTypes = { accepted: 'OrderCreated', reserved: 'InventoryReserved', failed: 'InventoryFailed' } as const

/** The steps up to now, in their sequence. */
export function statusEvents({ orderID, created, decided }: Order): StatusEvent[] {
  const event = (status: OrderStatus, atMs: number) => ({ id: `${eventTypes[status]}-${orderID}`, status, atMs })
  const accepted = event('accepted', created.acceptedAtMs)
  return decided === undefined ? [accepted] : [accepted, event(decided.kind, decided.decidedAtMs)]
}

/** The steps behind the one with this id; all of them when the id is none of this order's. */
export function statusEventsAfter(order: Order, lastID: string | undefined): StatusEvent[] {
  const events = statusEvents(order)
  return events.slice(events.findIndex(({ id }) => id === lastID) + 1)
}
