import { failureReasons, type InventoryConfirmed, type InventoryReleased } from '@orderly/contracts'
import type { ChangeToDecide, Place } from './change.ts'
import type { Outcome } from './decide.ts'
import type { Stamp } from './stamp.ts'

/**
 * What becomes of an order's stock after its outcome, or instead of it. States: **undecided** → **reserved**, with a hold or
 * without → **confirmed** → **released**; or **failed**.
 *
 * - undecided, cancel: **failed**, as *cancelled*: that is its outcome when the order comes, and it takes nothing.
 * - reserved with a hold, confirm: **confirmed**; the hold has no end any more.
 * - reserved with a hold, expire: **released**, if the hold had ended when that was asked for.
 * - reserved or confirmed, cancel: **released**.
 * - anything else changes nothing.
 *
 * Every transition happens once, by one record. That record is answered with an event whenever it is read, and no other record
 * is. So the event is in the log exactly once.
 *
 * A record is the same when its request id and its position are, and its topic. The id alone does not identify it: the expiry of
 * a hold is requested again until it is decided, and a client may repeat a cancel. A recreated topic has the same positions
 * again, and perhaps the same requests, when somebody copies them there.
 */
export interface KnownOrder {
  readonly outcome: Outcome
  readonly confirmed?: Settlement
  readonly released?: Settlement
}

/** `place` is that of the record that made it, and unknown for a settlement that was rebuilt from its event. */
export type Settlement = { readonly caller?: string | undefined; readonly place?: Place } & (
  | { readonly kind: 'confirmed'; readonly event: InventoryConfirmed }
  | { readonly kind: 'released'; readonly event: InventoryReleased }
)

export interface DecidedChange {
  /** `cancelled`: before the order was decided; that is told when the order comes. */
  readonly effect: Settlement['kind'] | 'cancelled' | 'none'
  /** What the record is answered with. */
  readonly settlement?: Settlement
  /** The record was decided before; nothing changed now. */
  readonly isReplay: boolean
}

export interface ChangesDecision {
  /** One for each change, in the same order. */
  readonly decided: readonly DecidedChange[]
  /** Of orders that were cancelled before they were decided. */
  readonly outcomes: readonly Outcome[]
  readonly settlements: readonly Settlement[]
}

/** Decides changes in their sequence: each finds what those before it made of its order. */
export function decideChanges(
  known: ReadonlyMap<string, KnownOrder>,
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
    // Another record of a request that has been settled.
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
  { outcome, confirmed, released }: KnownOrder,
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
