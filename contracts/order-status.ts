import { failureReasons } from './failure-reasons.ts'

/** Causes in `InventoryReleased`. Readers must accept other causes and treat them as a cancel. */
export const releaseCauses = { cancelled: 'cancelled', expired: 'expired' } as const

/**
 * Statuses of an order. Transitions:
 *
 * - **accepted** → **reserved** or **failed**, or **cancelled** if the cancel precedes the outcome
 * - reserved → **confirmed** or **expired**, for an order with a hold
 * - reserved, confirmed → **cancelled**
 */
export const orderStatuses = ['accepted', 'reserved', 'confirmed', 'failed', 'cancelled', 'expired'] as const
export type OrderStatus = (typeof orderStatuses)[number]

/** Returns the status of an order that failed for this reason. */
export function statusOfFailure(reason: string | null): 'failed' | 'cancelled' {
  return reason === failureReasons.cancelled ? 'cancelled' : 'failed'
}

/** Returns the status of an order whose stock was released for this cause. */
export function statusOfRelease(cause: string | null): 'expired' | 'cancelled' {
  return cause === releaseCauses.expired ? 'expired' : 'cancelled'
}

/** The facts about an accepted order that determine its status. */
export interface StatusFacts {
  readonly outcome: 'reserved' | 'failed' | undefined
  /** Reason why the order failed; null if it did not fail. */
  readonly reason: string | null
  readonly isConfirmed: boolean
  readonly isReleased: boolean
  readonly releaseCause: string | null
}

/** Returns the status of an accepted order. Later transitions count only after its outcome. */
export function orderStatusOf(facts: StatusFacts): OrderStatus {
  if (facts.outcome === undefined) return 'accepted'
  if (facts.isReleased) return statusOfRelease(facts.releaseCause)
  if (facts.outcome === 'failed') return statusOfFailure(facts.reason)
  return facts.isConfirmed ? 'confirmed' : 'reserved'
}
