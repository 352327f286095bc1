import { failureReasons, type InventoryConfirmed, type InventoryReleased } from '@orderly/contracts'
import type { ChangeToDecide, Place } from './change.ts'
import type { Outcome } from './decide.ts'
import type { Stamp } from './stamp.ts'

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
 * `place` is the position of the record that made it; undefined if it was rebuilt from its event.
 */
export type Settlement = { readonly caller?: string | undefined; readonly place?: Place } & (
  | { readonly kind: 'confirmed'; readonly event: InventoryConfirmed }
  | { readonly kind: 'released'; readonly event: InventoryReleased }
)

export interface DecidedChange {
  /** `cancelled`: the order was undecided; its outcome is published once the order is read. */
  readonly effect: Settlement['kind'] | 'cancelled' | 'none'
  /** Settlement to publish for the record. */
  readonly settlement?: Settlement
  /** True if the record was decided earlier, so it changes nothing now. */
  readonly isReplay: boolean
}

export interface ChangesDecision {
  /** One result per change, in the same sequence. */
  readonly decided: readonly DecidedChange[]
  /** Outcomes of orders that were cancelled while undecided. */
  readonly outcomes: readonly Outcome[]
  readonly settlements: readonly Settlement[]
}

/** Decides changes in sequence; each sees the effects of preceding ones on its order. */
export function decideChanges(
  known: ReadonlyMap<string, OrderState>,
  changes: readonly ChangeToDecide[],
  stamp: Stamp
): ChangesDecision {
  const orders = new Map(known)
  const outcomes: Outcome[] = []
  const settlements: Settlement[] = []
  const decided = changes.map((change): DecidedChange => {
    const { orderID, userID, caller, requestID, place } = change
    const order = orders.get(orderID)
    const former = [order?.confirmed, order?.released].find(settlement => settlement?.event.requestID === requestID)
    if (isSame(former, place)) return { effect: former.kind, settlement: former, isReplay: true }
    // This is another record of a request that already has its settlement.
    if (former !== undefined) return unchanged
    if (order === undefined) {
      if (change.change !== 'cancel') return unchanged
      const decided = { decidedAtMs: stamp.atMs, sequence: stamp.nextSequence() }
      const event = { orderID, userID, reason: failureReasons.cancelled, shortages: [], ...decided }
      const outcome: Outcome = { ...(caller !== undefined && { caller }), kind: 'failed', event }
      orders.set(orderID, { outcome })
      outcomes.push(outcome)
      return { effect: 'cancelled', isReplay: false }
    }
    const settlement = settle(order, change, stamp)
    if (settlement === undefined) return unchanged
    orders.set(orderID, { ...order, [settlement.kind]: settlement })
    settlements.push(settlement)
    return { effect: settlement.kind, settlement, isReplay: false }
  })
  return { decided, outcomes, settlements }
}

const unchanged: DecidedChange = { effect: 'none', isReplay: false }

function settle(
  { outcome, confirmed, released }: OrderState,
  { change, requestID, requestedAtMs, place }: ChangeToDecide,
  stamp: Stamp
): Settlement | undefined {
  if (outcome.kind === 'failed' || released !== undefined) return undefined
  const { orderID, userID, items, holdUntilMs } = outcome.event
  const known = { ...(outcome.caller !== undefined && { caller: outcome.caller }), place }
  const isHeld = holdUntilMs !== null && confirmed === undefined
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
      return isHeld ? confirmation() : undefined
    case 'expire':
      return isHeld && holdUntilMs <= requestedAtMs ? release('expired') : undefined
  }
}

function isSame(settlement: Settlement | undefined, { topicID, partition, offset }: Place): settlement is Settlement {
  const place = settlement?.place
  return place?.offset === offset && place.partition === partition && place.topicID === topicID
}
