import { type OrderChangeRequested, unnamedRequestID } from '@orderly/contracts'
import { isOwnerName, isStorable } from './order.ts'

export const changeKinds = ['cancel', 'confirm', 'expire'] as const
export type ChangeKind = (typeof changeKinds)[number]

/** Position of the record that contains a change request. */
export interface RecordPosition {
  /** Topic id, because a recreated topic reuses offsets. Undefined if unknown. */
  readonly topicID?: string | undefined
  readonly partition: number
  readonly offset: number
}

/**
 * A change request. Repeated requests have several records with one request id, at different
 * positions.
 */
export interface ChangeToDecide
  extends Pick<OrderChangeRequested, 'orderID' | 'userID' | 'requestedAtMs' | 'requestID'> {
  readonly change: ChangeKind
  /** The caller that placed the order, from the header of the record. */
  readonly caller?: string | undefined
  readonly position: RecordPosition
}

/** Error for a change request that violates its contract. */
export class InvalidChangeError extends Error {
  readonly code = 'CHANGE_INVALID'
  readonly retryable = false

  constructor(orderID: string, problem: string) {
    super(`invalid change request for order ${JSON.stringify(orderID)}: ${problem}`)
    this.name = 'InvalidChangeError'
  }
}

/** Validates the rules that the event schema cannot express. @throws InvalidChangeError */
export function toChange(
  { orderID, userID, change, requestedAtMs, requestID: givenID }: OrderChangeRequested,
  caller: string | undefined,
  position: RecordPosition
): ChangeToDecide {
  const kind = changeKinds.find(kind => kind === change)
  if (kind === undefined) throw new InvalidChangeError(orderID, `unknown change ${JSON.stringify(change)}`)
  if (!isStorable(orderID)) throw new InvalidChangeError(orderID, 'its orderID is empty or contains a NUL character')
  if (givenID.includes('\0')) throw new InvalidChangeError(orderID, 'its requestID contains a NUL character')
  for (const [field, name] of Object.entries({ userID, ...(caller !== undefined && { caller }) })) {
    if (isOwnerName(name)) continue
    throw new InvalidChangeError(orderID, `its ${field} is empty, or contains a NUL character or U+001F`)
  }
  const requestID = givenID === '' ? unnamedRequestID(orderID, change, requestedAtMs) : givenID
  return { orderID, userID, requestedAtMs, requestID, change: kind, ...(caller !== undefined && { caller }), position }
}
