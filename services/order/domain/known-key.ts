/**
 * An idempotency key and its order. States: **unknown** → claim → **in flight** (leased to one attempt) → settle → **stored**.
 *
 * - in flight, lease over: the next claim of the same order takes over; attempts are counted.
 * - in flight, release: the attempt that has the lease gives it up, without knowing whether the order was written.
 * - in flight, forget: the first attempt has certainly not written, and nobody took over: **unknown** again.
 *
 * The lease is politeness, not safety: two attempts that write at the same time write into the same slot.
 */
export interface KnownKey {
  readonly fingerprint: string
  readonly state: 'in-flight' | 'stored'
  readonly attempt: number
  readonly leaseUntilMs: number
  /** When its slot was reserved. */
  readonly slotAtMs: number
  /** It got a new slot since brokers may have forgotten the old one: whoever writes must look for the order first. */
  readonly mustLook: boolean
}

export type ClaimVerdict =
  | { readonly kind: 'begin' }
  | { readonly kind: 'take-over'; readonly renewSlot: boolean }
  | { readonly kind: 'stored' }
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  | { readonly kind: 'other-body' }

/** Brokers remember a slot for a day unless told otherwise; half of it is left for everything that may hold up a write. */
export const slotTrustMs = 12 * 3_600_000

export function judgeClaim(known: KnownKey | undefined, fingerprint: string, nowMs: number): ClaimVerdict {
  if (known === undefined) return { kind: 'begin' }
  if (known.fingerprint !== fingerprint) return { kind: 'other-body' }
  if (known.state === 'stored') return { kind: 'stored' }
  if (known.leaseUntilMs > nowMs) return { kind: 'in-flight', retryAfterMs: known.leaseUntilMs - nowMs }
  return { kind: 'take-over', renewSlot: known.slotAtMs < nowMs - slotTrustMs }
}
