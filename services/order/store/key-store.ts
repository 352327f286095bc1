/** The place in the topic that was reserved for an order; see OnceWriter in @orderly/kafka. */
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

/** A change of an order that its caller named. */
export interface ChangeClaim extends KeyName {
  readonly orderID: string
  readonly change: string
  readonly requestedAtMs: number
  readonly traceparent: string
}

/** `other-request`: the key belongs to an order, to another order's change, or to another change. */
export type ClaimedChange = 'first' | 'repeated' | 'other-request'

export interface KeyClaim extends KeyName, KeptOrder {
  /** Hexadecimal. */
  readonly fingerprint: string
}

/** Who may write the order of a key, or why not. */
export type Claimed =
  /** `attempt` 1: the order is the one of the claim. Later ones: it is that of the first, in whose slot, unless it `mustLook`. */
  | { readonly kind: 'yours'; readonly attempt: number; readonly order: KeptOrder; readonly mustLook: boolean }
  | { readonly kind: 'stored'; readonly order: KeptOrder }
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  | { readonly kind: 'other-body' }

/**
 * Remembers which request each idempotency key belongs to; the states of an order's key are those of KnownKey. Each method is atomic, also among
 * several instances.
 * @throws StoreUnavailableError from every method when the database cannot answer; whether it did it is then unknown
 */
export interface KeyStore {
  claim(claim: KeyClaim, leaseMs: number): Promise<Claimed>
  claimChange(claim: ChangeClaim): Promise<ClaimedChange>
  /** The order is in the topic. */
  settle(name: KeyName): Promise<void>
  /** Nothing when somebody else has taken over. */
  release(name: KeyName, attempt: number): Promise<void>
  /** Nothing unless it is the first attempt and nobody has taken over. */
  forget(name: KeyName): Promise<void>
  /** Deletes up to `limit` keys whose last attempt is older than this. @returns the number of keys deleted */
  prune(olderThanMs: number, limit: number): Promise<number>
}
