import type { Notification } from './notification.ts'

/**
 * A **delivery** is one notification to one **target**: `console`, `smtp`, `webhook:erp` (an
 * endpoint of the operator), or `webhook:berlin/shop` (an endpoint of the caller `berlin`). Its
 * states:
 *
 * - **due**: an attempt may start now or at a later time
 * - **sending**: an instance has claimed it. If that instance crashes, it is unknown whether the
 *   notification was sent
 * - **sent**: the target accepted it
 * - **exhausted**: its attempts or its time are exhausted, or the target rejected it permanently; it
 *   is a dead letter
 * - **skipped**: the target is disabled
 *
 * The deliveries of one user of one caller to one target form a **delivery lane**. One instance at
 * a time processes a delivery lane, in the order of its deliveries. While the first delivery waits
 * for a retry, the others wait too.
 */
export interface Delivery {
  readonly target: string
  readonly notification: Notification
  readonly traceparent: string
  /** Attempts that failed or whose result is unknown. */
  readonly attempts: number
  /** Time since the notification was accepted. */
  readonly ageMs: number
  /** Reason why the last attempt failed. */
  readonly lastFailure?: Failure
}

export interface Failure {
  /** Stable identifier in upper case. */
  readonly code: string
  readonly reason: string
}

/** Result of an attempt. */
export type Attempt =
  | { readonly kind: 'sent' }
  | ({ readonly kind: 'refused' } & Failure)
  | ({ readonly kind: 'failed'; readonly retryAfterMs?: number } & Failure)
  | { readonly kind: 'gone'; readonly reason: string }
  /** No attempt was made, because the target is disabled. */
  | { readonly kind: 'unwanted' }
  /** No attempt was made, and another instance may make it. */
  | { readonly kind: 'released' }

/** New state of a delivery after an attempt. */
export type DeliveryResult =
  | { readonly status: 'sent'; readonly attempts: number }
  | { readonly status: 'skipped' | 'exhausted'; readonly attempts: number; readonly failure: Failure }
  | { readonly status: 'due'; readonly attempts: number; readonly retryInMs: number; readonly failure?: Failure }

export interface RetryPolicy {
  readonly maxAttempts: number
  /** Maximum time from acceptance until the delivery is exhausted. */
  readonly maxAgeMs: number
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** Longest pause that a target can request with `Retry-After`. */
  readonly maxRetryAfterMs: number
}

/** Returns the new state of a delivery. @param random a number from 0 to 1 */
export function resultOf(
  { attempts: before, ageMs, lastFailure }: Pick<Delivery, 'attempts' | 'ageMs' | 'lastFailure'>,
  attempt: Attempt,
  policy: RetryPolicy,
  random: number
): DeliveryResult {
  const attempts = before + 1
  switch (attempt.kind) {
    case 'sent':
      return { status: 'sent', attempts }
    case 'gone':
      return { status: 'skipped', attempts, failure: { code: 'TARGET_GONE', reason: attempt.reason } }
    case 'unwanted':
      return { status: 'skipped', attempts: before, failure: disabled }
    case 'released':
      return { status: 'due', attempts: before, retryInMs: 0, ...(lastFailure && { failure: lastFailure }) }
    case 'refused':
      return { status: 'exhausted', attempts, failure: { code: attempt.code, reason: attempt.reason } }
    case 'failed': {
      const failure = { code: attempt.code, reason: attempt.reason }
      const retryInMs = Math.max(retryDelayMs(attempts, policy, random), pauseMs(attempt, policy))
      const isLast = attempts >= policy.maxAttempts || ageMs + retryInMs > policy.maxAgeMs
      return isLast ? { status: 'exhausted', attempts, failure } : { status: 'due', attempts, retryInMs, failure }
    }
  }
}

const disabled: Failure = { code: 'TARGET_DISABLED', reason: 'the target is disabled' }

/** Returns the pause that the target requested, limited by the policy. */
export function pauseMs(attempt: Attempt, { maxRetryAfterMs }: Pick<RetryPolicy, 'maxRetryAfterMs'>): number {
  return attempt.kind === 'failed' ? Math.min(attempt.retryAfterMs ?? 0, maxRetryAfterMs) : 0
}

/**
 * Returns the delay before the next attempt. It is four times longer after each failure, up to the
 * maximum. Jitter chooses between 75 % and 100 % of it.
 */
export function retryDelayMs(
  failures: number,
  { firstDelayMs, maxDelayMs }: Pick<RetryPolicy, 'firstDelayMs' | 'maxDelayMs'>,
  random: number
): number {
  return Math.round(Math.min(maxDelayMs, firstDelayMs * 4 ** Math.min(failures - 1, 100)) * (0.75 + random / 4))
}
