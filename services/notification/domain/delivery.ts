import type { Notification } from './notification.ts'

/**
 * A **delivery** is one notification on its way to one **target**: `console`, `smtp`, `webhook:erp` of the operator, or `webhook:berlin/shop` of
 * the caller `berlin`. Its states:
 *
 * - **due**: to be sent, at once or later
 * - **sending**: an instance has it in hand. Did that instance end, nobody knows whether it was sent
 * - **sent**: the target took it
 * - **given-up**: tried often or long enough, or refused for good; it is in the dead letters
 * - **skipped**: the target wants nothing any more
 *
 * The deliveries of one user of one caller to one target form a **lane**. A lane is worked on by one instance at a time, in the order of
 * the deliveries; while its first one waits to be tried again, the whole lane waits.
 */
export interface Delivery {
  readonly target: string
  readonly notification: Notification
  readonly traceparent: string
  /** Attempts that failed, or of which nobody knows how they ended. */
  readonly attempts: number
  /** How long ago it was accepted. */
  readonly ageMs: number
  /** Why the last attempt failed. */
  readonly lastFailure?: Failure
}

export interface Failure {
  /** Stable, in capitals. */
  readonly code: string
  readonly reason: string
}

/** How an attempt ended. */
export type Attempt =
  | { readonly kind: 'sent' }
  | ({ readonly kind: 'refused' } & Failure)
  | ({ readonly kind: 'failed'; readonly retryAfterMs?: number } & Failure)
  | { readonly kind: 'gone'; readonly reason: string }
  /** Nobody tried: the target is switched off. */
  | { readonly kind: 'unwanted' }
  /** Nobody tried, and somebody else may. */
  | { readonly kind: 'released' }

/** What is to be remembered of a delivery after an attempt. */
export type Settlement =
  | { readonly status: 'sent'; readonly attempts: number }
  | { readonly status: 'skipped' | 'given-up'; readonly attempts: number; readonly failure: Failure }
  | { readonly status: 'due'; readonly attempts: number; readonly retryInMs: number; readonly failure?: Failure }

export interface RetryPolicy {
  readonly maxAttempts: number
  /** From when it was accepted to when it is given up. */
  readonly maxAgeMs: number
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** Longest pause that a target can ask for (`Retry-After`). */
  readonly maxRetryAfterMs: number
}

/** Total: every attempt settles. @param random from 0 to 1 */
export function settle(
  { attempts: before, ageMs, lastFailure }: Pick<Delivery, 'attempts' | 'ageMs' | 'lastFailure'>,
  attempt: Attempt,
  policy: RetryPolicy,
  random: number
): Settlement {
  const attempts = before + 1
  switch (attempt.kind) {
    case 'sent':
      return { status: 'sent', attempts }
    case 'gone':
      return { status: 'skipped', attempts, failure: { code: 'TARGET_GONE', reason: attempt.reason } }
    case 'unwanted':
      return { status: 'skipped', attempts: before, failure: switchedOff }
    case 'released':
      return { status: 'due', attempts: before, retryInMs: 0, ...(lastFailure && { failure: lastFailure }) }
    case 'refused':
      return { status: 'given-up', attempts, failure: { code: attempt.code, reason: attempt.reason } }
    case 'failed': {
      const failure = { code: attempt.code, reason: attempt.reason }
      const retryInMs = Math.max(retryDelayMs(attempts, policy, random), pauseMs(attempt, policy))
      const isLast = attempts >= policy.maxAttempts || ageMs + retryInMs > policy.maxAgeMs
      return isLast ? { status: 'given-up', attempts, failure } : { status: 'due', attempts, retryInMs, failure }
    }
  }
}

const switchedOff: Failure = { code: 'TARGET_SWITCHED_OFF', reason: 'the target is switched off' }

/** Returns the pause that an attempt's target asks for, within the limit of the policy. */
export function pauseMs(attempt: Attempt, { maxRetryAfterMs }: Pick<RetryPolicy, 'maxRetryAfterMs'>): number {
  return attempt.kind === 'failed' ? Math.min(attempt.retryAfterMs ?? 0, maxRetryAfterMs) : 0
}

/** Four times longer after each failure, up to the longest; between three quarters and all of it by chance. */
export function retryDelayMs(
  failures: number,
  { firstDelayMs, maxDelayMs }: Pick<RetryPolicy, 'firstDelayMs' | 'maxDelayMs'>,
  random: number
): number {
  return Math.round(Math.min(maxDelayMs, firstDelayMs * 4 ** Math.min(failures - 1, 100)) * (0.75 + random / 4))
}
