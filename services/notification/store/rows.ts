import { columnsOf } from '@orderly/postgres'
import type { Notification } from '../domain/notification.ts'
import type { ClaimedDelivery } from './delivery-store.ts'

/** Row of `notification.deliveries` that was claimed. */
export interface DeliveryRow {
  readonly target: string
  readonly sequence: number
  readonly notification: Notification
  readonly traceparent: string
  readonly attempts: number
  /** Code of the last failure; null without one, as is the reason. */
  readonly code: string | null
  readonly reason: string | null
  readonly ageMs: number
}

/** Returns the columns of a claimed delivery. @param now SQL expression of the current time */
export function deliveryColumns(now: string): string {
  return columnsOf<DeliveryRow>({
    target: 'target',
    sequence: 'sequence',
    notification: 'content',
    traceparent: 'traceparent',
    attempts: 'attempts',
    code: 'code',
    reason: 'reason',
    ageMs: `extract(epoch FROM ${now} - accepted_at)::float8 * 1000`
  })
}

export function toDelivery({ sequence: _, code, reason, ageMs, ...row }: DeliveryRow, claim: string): ClaimedDelivery {
  const lastFailure = code !== null && { lastFailure: { code, reason: reason ?? '' } }
  return { ...row, ageMs: Math.max(0, ageMs), ...lastFailure, claim }
}

/** State of a target in `notification.targets` and `notification.endpoints`. */
export interface TargetStateRow {
  readonly isDisabled: boolean
  readonly pausedMs: number
}

/** Name of a target, from `notification.targets` or `notification.lanes`. */
export interface TargetRow {
  readonly target: string
}
