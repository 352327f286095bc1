import { failureReasons, type InventoryConfirmed, type InventoryReleased } from '@orderly/contracts'
import type { ChangeToDecide, Place } from './change.ts'
import type { Outcome } from './decide.ts'

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
 * Every transition happens once, by one record. That record is answered with an event, as often as it is read; no other record
 * ever is. So the event is in the log exactly once, whoever asks how often.
 */
export interface KnownOrder {
  readonly outcome: Outcome
  readonly confirmed?: Settlement
  readonly released?: Settlement
}

export type Settlement = { readonly caller?: string | undefined; readonly place: Place } & (
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
  decidedAtMs: number
): ChangesDecision {
  const orders = new Map(known)
  const outcomes: Outcome[] = []
  const settlements: Settlement[] = []
  const decided = changes.map((change): DecidedChange => {
    const { orderID, userID, caller, place } = change
    const order = orders.get(orderID)
    const former = [order?.confirmed, order?.released].find(settlement => isSame(settlement?.place, place))
    if (former !== undefined) return { effect: former.kind, settlement: former, isReplay: true }
    if (order === undefined) {
      if (change.change !== 'cancel') return unchanged
      const event = { orderID, userID, reason: failureReasons.cancelled, shortages: [], decidedAtMs }
      const outcome: Outcome = { ...(caller !== undefined && { caller }), kind: 'failed', event }
      orders.set(orderID, { outcome })
      outcomes.push(outcome)
      return { effect: 'cancelled', isReplay: false }
    }
    const settlement = settle(order, change, decidedAtMs)
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
  { change, requestedAtMs, place }: ChangeToDecide,
  atMs: number
): Settlement | undefined {
  if (outcome.kind === 'failed' || released !== undefined) return undefined
  const { orderID, userID, items, holdUntilMs } = outcome.event
  const known = { ...(outcome.caller !== undefined && { caller: outcome.caller }), place }
  const isHeld = holdUntilMs !== null && confirmed === undefined
  const release = (cause: 'cancelled' | 'expired'): Settlement => {
    return { ...known, kind: 'released', event: { orderID, userID, items, cause, releasedAtMs: atMs } }
  }
  switch (change) {
    case 'cancel':
      return release('cancelled')
    case 'confirm':
      return isHeld
        ? { ...known, kind: 'confirmed', event: { orderID, userID, items, confirmedAtMs: atMs } }
        : undefined
    case 'expire':
      return isHeld && holdUntilMs <= requestedAtMs ? release('expired') : undefined
  }
}

function isSame(a: Place | undefined, b: Place): boolean {
  return a !== undefined && a.partition === b.partition && a.offset === b.offset
}
