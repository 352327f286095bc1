import type { SequenceReservation } from '@orderly/kafka'

/** Name of an idempotency key. Keys are per caller. */
export interface KeyName {
  readonly caller: string
  readonly key: string
}

/** The order of a key, as its first attempt accepted it. */
export interface KeyedOrder {
  readonly orderID: string
  readonly acceptedAtMs: number
  readonly traceparent: string
}

export interface KeyClaim extends KeyName, KeyedOrder {
  /** SHA-256 of the order's content. */
  readonly fingerprint: Buffer
}

/** An encoded record batch with its sequence reservation. */
export interface ReservedBatch {
  readonly id: string
  readonly partition: number
  readonly bytes: Buffer
}

/** A batch with the claims of its orders. */
export interface BatchClaim extends ReservedBatch {
  readonly claims: readonly KeyClaim[]
}

/** A key that exists. */
export interface KnownKey extends KeyClaim {
  readonly state: KeyState
}

export type KeyState =
  | { readonly kind: 'stored' }
  /** In flight: the order is part of a batch that may not be stored yet. */
  | { readonly kind: 'in-batch'; readonly batchID: string; readonly leaseLeftMs: number }
  /** In flight: version 0.1.0 claimed the order, with a sequence reservation for its record alone. */
  | { readonly kind: 'single'; readonly leaseLeftMs: number }

/** The right to write a batch. */
export interface TakenBatch extends ReservedBatch {
  readonly attempt: number
  /** True if the reservation is older than `reservationTrustMs`. */
  readonly mayBeForgotten: boolean
}

/** The right to write an order that version 0.1.0 claimed. */
export interface TakenSingle {
  readonly attempt: number
  readonly reservation: Omit<SequenceReservation, 'topic'>
  readonly mayBeForgotten: boolean
  /** True if the attempt must look for the order before it writes. */
  readonly needsLookup: boolean
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

/**
 * Age up to which a sequence reservation is used. By default brokers remember it for a day
 * (`producer.id.expiration.ms`); the other half of the day is a margin for delayed writes.
 */
export const reservationTrustMs = 12 * 3_600_000

/**
 * Idempotency keys in Postgres: which request each key belongs to. A key has a row in
 * `orders.idempotency_keys`, and a batch whose storage is uncertain has one in
 * `orders.reserved_batches`. These rows are the only copies of their state.
 *
 * States of the key of an order and their transitions: **unknown** → claim → **in flight** (its
 * batch has a row, leased to one attempt) → markStored deletes the row → **stored**.
 *
 * - In flight, takeBatch after the lease has ended: becomes the next attempt, which writes the same
 *   bytes.
 * - In flight, release: the attempt that holds the lease ends it. It is unknown whether the batch
 *   was written.
 * - In flight, forget: the first attempt has certainly not written the batch, and no other attempt
 *   exists. All keys of the batch become **unknown** again.
 * - In flight, move: brokers may have forgotten the reservation of the batch, and the order is not
 *   in the topic. The order gets another batch.
 *
 * The lease avoids useless work; safety does not depend on it. Two attempts that write at the same
 * time write the same bytes, so the broker stores only one batch.
 *
 * The key of a change request is stored immediately, because repeating the request is harmless.
 *
 * Each method is atomic, even across instances.
 * @throws StoreUnavailableError from every method while the database is unavailable; it is then
 * unknown whether the method took effect
 */
export interface KeyStore {
  /**
   * Claims the keys of all batches and stores the batches. If any of the keys exists, nothing is
   * claimed. A key may occur only once.
   * @returns undefined if the keys were claimed, otherwise those that exist
   */
  claim(batches: readonly BatchClaim[], leaseMs: number): Promise<readonly KnownKey[] | undefined>
  /** Marks a batch as stored. */
  markStored(batchID: string): Promise<void>
  /**
   * Takes over a batch whose lease has ended, because a request with this key was repeated. The key
   * is kept as long as a new one.
   * @returns undefined if the lease has not ended or the batch is stored
   */
  takeBatch(batchID: string, name: KeyName, leaseMs: number): Promise<TakenBatch | undefined>
  /** Ends the lease of an attempt. Has no effect if a later attempt has taken the batch over. */
  releaseBatch(batchID: string, attempt: number): Promise<void>
  /**
   * Deletes a batch in its first attempt, and its keys. @returns false, and deletes nothing, if there
   * was another attempt
   */
  forgetBatch(batch: BatchClaim): Promise<boolean>
  /** Gives an order another batch. @returns false if the state of the key has changed */
  move(known: KnownKey, batch: ReservedBatch, leaseMs: number): Promise<boolean>
  claimChange(claim: ChangeClaim): Promise<ClaimedChange>
  /**
   * Deletes up to `limit` keys that are older than `olderThanMs` and not in flight.
   * @returns the number of deleted keys
   */
  prune(olderThanMs: number, limit: number): Promise<number>

  /** Takes over an order of version 0.1.0 whose lease has ended. @returns undefined if there is none */
  takeSingle(name: KeyName, leaseMs: number): Promise<TakenSingle | undefined>
  /** Ends the lease of an attempt on an order of version 0.1.0. */
  releaseSingle(name: KeyName, attempt: number): Promise<void>
  /** Marks an order of version 0.1.0 as stored. */
  markSingleStored(name: KeyName): Promise<void>
}
