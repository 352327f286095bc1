import type { OrderChangeRequested } from '@orderly/contracts'
import { isStorable } from './order.ts'

export const changeKinds = ['cancel', 'confirm', 'expire'] as const
export type ChangeKind = (typeof changeKinds)[number]

/** Where the record that asks for a change stands in its topic. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

/** What somebody asks of an order. */
export interface ChangeToDecide extends Pick<OrderChangeRequested, 'orderID' | 'userID' | 'requestedAtMs'> {
  readonly change: ChangeKind
  readonly place: Place
}

/** The request contradicts its contract. */
export class InvalidChangeError extends Error {
  readonly code = 'CHANGE_INVALID'
  readonly retryable = false

  constructor(orderID: string, problem: string) {
    super(`the change of order ${JSON.stringify(orderID)} cannot be decided: ${problem}`)
    this.name = 'InvalidChangeError'
  }
}

/** @throws InvalidChangeError. The schema says the types; this says the rest, whoever wrote the record. */
export function toChange(
  { orderID, userID, change, requestedAtMs }: OrderChangeRequested,
  place: Place
): ChangeToDecide {
  const kind = changeKinds.find(kind => kind === change)
  if (kind === undefined) throw new InvalidChangeError(orderID, `${JSON.stringify(change)} is no change`)
  if (!isStorable(orderID)) throw new InvalidChangeError(orderID, 'its orderID is empty or holds a NUL character')
  if (!isStorable(userID)) throw new InvalidChangeError(orderID, 'its userID is empty or holds a NUL character')
  return { orderID, userID, requestedAtMs, change: kind, place }
}
