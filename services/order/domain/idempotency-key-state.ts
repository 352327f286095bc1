/**
 * The state of an idempotency key and its order. Transitions: **unknown** → claim → **in flight**
 * (leased to one attempt) → settle → **stored**.
 *
 * - In flight, after the lease has ended: the next claim for the same order becomes the next
 *   attempt.
 * - In flight, release: the attempt that holds the lease ends it. It is unknown whether the order
 *   was written.
 * - In flight, forget: the first attempt has certainly not written the order, and no other
 *   attempt exists. The key becomes **unknown** again.
 *
 * The lease avoids useless work; safety does not depend on it. Two attempts that write at the same
 * time use the same sequence reservation, so the broker stores only one record.
 */
export interface IdempotencyKeyState {
  readonly fingerprint: string
  readonly state: 'in-flight' | 'stored'
  readonly attempt: number
  readonly leaseUntilMs: number
  /** Time of the sequence reservation. */
  readonly reservedAtMs: number
  /**
   * True after the sequence reservation was replaced because brokers may have forgotten the old
   * one. Each later attempt must look for the order before it writes.
   */
  readonly needsLookup: boolean
}

export type ClaimVerdict =
  | { readonly kind: 'begin' }
  | { readonly kind: 'take-over'; readonly renewReservation: boolean }
  | { readonly kind: 'stored' }
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  | { readonly kind: 'key-conflict' }

/**
 * Age up to which a sequence reservation is used. By default brokers remember it for a day
 * (`producer.id.expiration.ms`); the other half of the day is a margin for delayed writes.
 */
export const reservationTrustMs = 12 * 3_600_000

export function judgeClaim(known: IdempotencyKeyState | undefined, fingerprint: string, nowMs: number): ClaimVerdict {
  if (known === undefined) return { kind: 'begin' }
  if (known.fingerprint !== fingerprint) return { kind: 'key-conflict' }
  if (known.state === 'stored') return { kind: 'stored' }
  if (known.leaseUntilMs > nowMs) return { kind: 'in-flight', retryAfterMs: known.leaseUntilMs - nowMs }
  return { kind: 'take-over', renewReservation: known.reservedAtMs < nowMs - reservationTrustMs }
}
