import { failureReasons, type InventoryConfirmed, type InventoryReleased } from '@orderly/contracts'
import type { ChangeToDecide, RecordPosition } from './change.ts'
import type { Outcome, Stamp } from './decide-order.ts'

/**
 * State of a decided order: its outcome and later settlements. The states are **undecided** →
 * **reserved** (with or without a hold) → **confirmed** → **released**, or **failed**.
 *
 * | state | change request | next state |
 * | --- | --- | --- |
 * | undecided | cancel | **failed** with reason `CANCELLED`, the outcome once the order is read |
 * | reserved with a hold | confirm | **confirmed**: the hold no longer ends |
 * | reserved with a hold | expire | **released**, if the hold had ended at the time of the request |
 * | reserved or confirmed | cancel | **released** |
 * | any other combination | | unchanged |
 *
 * One record makes each transition. The stage publishes an event whenever it reads that record, and
 * for no other record, so committed events are in the log exactly once.
 *
 * Two reads are of the same record if request id, topic id, partition and offset are equal. The
 * request id is not enough: expiry is requested again until it is decided, and clients may repeat a
 * cancel. The position is not enough: a recreated topic reuses offsets, even for copied requests.
 */
export interface OrderState {
  readonly outcome: Outcome
  readonly confirmed?: Settlement
  readonly released?: Settlement
}

/**
 * Transition of a reserved order. `position` is that of the record that made it; undefined if it was
 * rebuilt from its event.
 */
export type Settlement = { readonly caller?: string | undefined; readonly position?: RecordPosition } & (
  | { readonly kind: 'confirmed'; readonly event: InventoryConfirmed }
  | { readonly kind: 'released'; readonly event: InventoryReleased }
)

export interface DecidedChange {
  /** `cancelled`: the order was undecided; its outcome is published once the order is read. */
  readonly effect: Settlement['kind'] | 'cancelled' | 'none'
  /** Settlement to publish for the record. */
  readonly settlement?: Settlement
  /** Outcome of an order that was cancelled while undecided. */
  readonly outcome?: Outcome
  /** True if the record was decided earlier, so it changes nothing now. */
  readonly isReplay: boolean
}

/**
 * Decides one change request.
 * @param order undefined for an undecided order
 */
export function decideChange(order: OrderState | undefined, change: ChangeToDecide, stamp: Stamp): DecidedChange {
  const { orderID, userID, caller, requestID, position } = change
  const former = [order?.confirmed, order?.released].find(settlement => settlement?.event.requestID === requestID)
  if (isSame(former, position)) return { effect: former.kind, settlement: former, isReplay: true }
  // This is another record of a request that already has its settlement.
  if (former !== undefined) return unchanged
  if (order === undefined) {
    if (change.change !== 'cancel') return unchanged
    const decided = { decidedAtMs: stamp.atMs, sequence: stamp.nextSequence() }
    const event = { orderID, userID, reason: failureReasons.cancelled, shortages: [], ...decided }
    const outcome: Outcome = { ...(caller !== undefined && { caller }), kind: 'failed', event }
    return { effect: 'cancelled', outcome, isReplay: false }
  }
  const settlement = settlementOf(order, change, stamp)
  return settlement === undefined ? unchanged : { effect: settlement.kind, settlement, isReplay: false }
}

const unchanged: DecidedChange = { effect: 'none', isReplay: false }

/** Returns whether the order has a hold that has not ended. */
export function isHeld({ outcome, confirmed, released }: OrderState): boolean {
  if (outcome.kind === 'failed' || confirmed !== undefined || released !== undefined) return false
  return outcome.event.holdUntilMs !== null
}

/** Returns the settlement that the change makes; undefined if it changes nothing. */
function settlementOf(
  order: OrderState,
  { change, requestID, requestedAtMs, position }: ChangeToDecide,
  stamp: Stamp
): Settlement | undefined {
  const { outcome, released } = order
  if (outcome.kind === 'failed' || released !== undefined) return undefined
  const { orderID, userID, items, holdUntilMs } = outcome.event
  const known = { ...(outcome.caller !== undefined && { caller: outcome.caller }), position }
  const release = (cause: 'cancelled' | 'expired'): Settlement => {
    const sequence = stamp.nextSequence()
    const event = { orderID, userID, items, cause, releasedAtMs: stamp.atMs, requestID, sequence }
    return { ...known, kind: 'released', event }
  }
  const confirmation = (): Settlement => {
    const sequence = stamp.nextSequence()
    const event = { orderID, userID, items, confirmedAtMs: stamp.atMs, requestID, sequence }
    return { ...known, kind: 'confirmed', event }
  }
  switch (change) {
    case 'cancel':
      return release('cancelled')
    case 'confirm':
      return isHeld(order) ? confirmation() : undefined
    case 'expire':
      return isHeld(order) && holdUntilMs !== null && holdUntilMs <= requestedAtMs ? release('expired') : undefined
  }
}

function isSame(
  settlement: Settlement | undefined,
  { topicID, partition, offset }: RecordPosition
): settlement is Settlement {
  const position = settlement?.position
  return position?.offset === offset && position.partition === partition && position.topicID === topicID
}
