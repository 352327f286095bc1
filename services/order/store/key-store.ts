/** The sequence reservation of an order; see ReservedWriter in @orderly/kafka. */
export interface Slot {
  readonly partition: number
  readonly producerID: bigint
  readonly epoch: number
  readonly sequence: number
}

export interface KeyName {
  readonly caller: string
  readonly key: string
}

export interface KeptOrder {
  readonly orderID: string
  readonly acceptedAtMs: number
  readonly traceparent: string
  readonly slot: Slot
}

/** A change request with an idempotency key. */
export interface ChangeClaim extends KeyName {
  readonly orderID: string
  readonly change: string
  readonly requestedAtMs: number
  readonly traceparent: string
}

/** Result of a claim. `other-request`: the key belongs to an order or to another change request. */
export type ClaimedChange = 'first' | 'repeated' | 'other-request'

export interface KeyClaim extends KeyName, KeptOrder {
  /** Hexadecimal SHA-256 of the order's content. */
  readonly fingerprint: string
}

/** Result of a claim: the right to write the order of the key, or the reason against it. */
export type Claimed =
  /**
   * The claim may write the order. Attempt 1 writes the order of this claim. Later attempts get the
   * order and the sequence reservation of attempt 1. With `needsLookup` the reservation is a new
   * one, and the attempt must look for the order before it writes.
   */
  | { readonly kind: 'yours'; readonly attempt: number; readonly order: KeptOrder; readonly needsLookup: boolean }
  | { readonly kind: 'stored'; readonly order: KeptOrder }
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  | { readonly kind: 'key-conflict' }

/**
 * Stores which request each idempotency key belongs to. IdempotencyKeyState describes the states of
 * an order's key. Each method is atomic, even across instances.
 * @throws StoreUnavailableError from every method while the database is unavailable; it is then
 * unknown whether the method took effect
 */
export interface KeyStore {
  claim(claim: KeyClaim, leaseMs: number): Promise<Claimed>
  claimChange(claim: ChangeClaim): Promise<ClaimedChange>
  /** Marks the order of a key as stored. */
  settle(name: KeyName): Promise<void>
  /** Ends the lease of an attempt. Has no effect if a later attempt has claimed the key. */
  release(name: KeyName, attempt: number): Promise<void>
  /** Deletes a key that is in flight in its first attempt. Has no effect on other keys. */
  forget(name: KeyName): Promise<void>
  /**
   * Deletes up to `limit` keys whose last lease ended `olderThanMs` ago.
   * @returns the number of deleted keys
   */
  prune(olderThanMs: number, limit: number): Promise<number>
}
