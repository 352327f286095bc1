import { type OrderChangeRequested, unnamedRequestID } from '@orderly/contracts'
import { isOwnerName, isStorable } from './order.ts'

export const changeKinds = ['cancel', 'confirm', 'expire'] as const
export type ChangeKind = (typeof changeKinds)[number]

/** Position of the record that requests a change. */
export interface Place {
  /** Id of the topic: a recreated topic has the same positions again. Undefined where it is unknown. */
  readonly topicID?: string | undefined
  readonly partition: number
  readonly offset: number
}

/** A request to change an order. One request can have several records, at different places. */
export interface ChangeToDecide
  extends Pick<OrderChangeRequested, 'orderID' | 'userID' | 'requestedAtMs' | 'requestID'> {
  readonly change: ChangeKind
  /** The caller that placed the order, from the header of the record. */
  readonly caller?: string | undefined
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

/** Checks what the schema of the event cannot express. @throws InvalidChangeError */
export function toChange(
  { orderID, userID, change, requestedAtMs, requestID: givenID }: OrderChangeRequested,
  caller: string | undefined,
  place: Place
): ChangeToDecide {
  const kind = changeKinds.find(kind => kind === change)
  if (kind === undefined) throw new InvalidChangeError(orderID, `${JSON.stringify(change)} is no change`)
  if (!isStorable(orderID)) throw new InvalidChangeError(orderID, 'its orderID is empty or holds a NUL character')
  if (givenID.includes('\0')) throw new InvalidChangeError(orderID, 'its requestID contains a NUL character')
  for (const [field, name] of Object.entries({ userID, ...(caller !== undefined && { caller }) })) {
    if (isOwnerName(name)) continue
    throw new InvalidChangeError(orderID, `its ${field} is empty, or contains a NUL character or U+001F`)
  }
  const requestID = givenID === '' ? unnamedRequestID(orderID, change, requestedAtMs) : givenID
  return { orderID, userID, requestedAtMs, requestID, change: kind, ...(caller !== undefined && { caller }), place }
}
