import { createHash } from 'node:crypto'
import { inGroups } from '@orderly/batching'
import type { SequenceReservation } from '@orderly/kafka'
import { type Logger, StoreUnavailableError } from '@orderly/postgres'
import type { Placement } from '../domain/accept-order.ts'
import type { RunStatement } from './database.ts'

/**
 * Idempotency keys in Postgres: which request each key belongs to. This file has all there is to
 * know about the state of a key; a row of `orders.idempotency_keys` is its only copy.
 *
 * States of a key of an order and their transitions: **unknown** → claim → **in flight** (leased to
 * one attempt) → markStored → **stored**.
 *
 * - In flight, claim for another order: refused (`key-conflict`), as in the state stored.
 * - In flight, claim before the lease has ended: refused (`in-flight`).
 * - In flight, claim after the lease has ended: becomes the next attempt. It writes the same order
 *   with the same sequence reservation. A reservation older than `reservationTrustMs` is replaced,
 *   because brokers may have forgotten it; all attempts must then look for the order first.
 * - In flight, release: the attempt that holds the lease ends it. It is unknown whether the order
 *   was written.
 * - In flight, forget: the first attempt has certainly not written the order, and no other attempt
 *   exists. The key becomes **unknown** again.
 * - Stored, claim for the same order: the result is that order, as a replay.
 *
 * The lease avoids useless work; safety does not depend on it. Two attempts that write at the same
 * time use the same sequence reservation, so the broker stores only one record.
 *
 * The key of a change request is stored immediately, because repeating the request is harmless.
 *
 * Each method is atomic, even across instances.
 * @throws StoreUnavailableError from every method while the database is unavailable; it is then
 * unknown whether the method took effect
 */
export interface KeyStore {
  claim(claim: KeyClaim, leaseMs: number): Promise<Claimed | Placement>
  claimChange(claim: ChangeClaim): Promise<ClaimedChange>
  /** Marks the order of a key as stored. */
  markStored(name: KeyName): Promise<void>
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

/** Keys are per caller. */
export interface KeyName {
  readonly caller: string
  readonly key: string
}

/** The order of a key, as its first attempt accepted it. */
export interface KeyedOrder {
  readonly orderID: string
  readonly acceptedAtMs: number
  readonly traceparent: string
  readonly reservation: Omit<SequenceReservation, 'topic'>
}

export interface KeyClaim extends KeyName, KeyedOrder {
  /** Hexadecimal SHA-256 of the order's content. */
  readonly fingerprint: string
}

/** The right to write the order of a key. */
export interface Claimed {
  readonly kind: 'claimed'
  /** Attempt 1 writes the order of its claim. Later attempts get the order of attempt 1. */
  readonly attempt: number
  readonly order: KeyedOrder
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

/** A row of `orders.idempotency_keys`, as the statements below return it. */
interface KeyRow {
  readonly caller: string
  readonly key: string
  readonly order_id: string
  readonly accepted_at_ms: number
  readonly traceparent: string
  readonly topic_partition: number
  readonly producer_id: string
  readonly producer_epoch: number
  readonly sequence: number
}

interface ClaimedRow extends KeyRow {
  readonly attempt: number
  readonly needs_lookup: boolean
}

interface KnownRow extends KeyRow {
  readonly fingerprint: string
  readonly state: 'in-flight' | 'stored'
  readonly lease_left_ms: number
}

type TimedClaim = KeyClaim & { readonly leaseMs: number }

const maxTries = 5

/**
 * Creates a key store. Leases use the clock of the database, which all instances share.
 *
 * An order with a key needs two statements: one claims the key, the other marks it as stored. At
 * thousands of orders per second these statements are the cost of a key, so both run in groups (see
 * inGroups). One INSERT claims all keys that arrived while the previous INSERT was in flight. One
 * SELECT looks up the keys that the INSERT did not return, and one UPDATE marks keys as stored.
 *
 * Statements on many rows lock them in the order of caller and key, so that instances cannot
 * deadlock. If a statement fails, all requests of its group fail. The input of a caller cannot be
 * the cause, because it was validated before. Release and forget are rare and run as single
 * statements.
 */
export function createKeyStore(run: RunStatement): KeyStore {
  const lookUp = (names: readonly KeyName[]) =>
    run<KnownRow>({ name: 'look-up-keys', text: lookUpText, values: namesOf(names) })

  /** Claims a group of keys. A key that was deleted between the two statements gets undefined. */
  const claimOnce = inGroups(
    async (claims: readonly TimedClaim[]): Promise<(Claimed | Placement | undefined)[]> => {
      const values = [rowsOf(claims), reservationTrustMs]
      const granted = byName((await run<ClaimedRow>({ name: 'claim-keys', text: claimText, values })).rows)
      const refused = claims.filter(claim => !granted.has(nameOf(claim)))
      const known = byName(refused.length === 0 ? [] : (await lookUp(refused)).rows)
      return claims.map(claim => {
        const own = granted.get(nameOf(claim))
        if (own !== undefined) return toClaimed(own)
        const other = known.get(nameOf(claim))
        return other && toPlacement(other, claim.fingerprint)
      })
    },
    { nameOf }
  )

  const markStored = inGroups(
    async (names: readonly KeyName[]) => {
      await run({ name: 'mark-keys-stored', text: markStoredText, values: namesOf(names) })
      return names.map(() => undefined)
    },
    { nameOf }
  )

  /** Repeats a claim whose key was deleted between its two statements. */
  async function untilKnown<Result>(tryOnce: () => Promise<Result | undefined>): Promise<Result> {
    for (let tries = 0; tries < maxTries; tries++) {
      const result = await tryOnce()
      if (result !== undefined) return result
    }
    const message = `idempotency key claim did not converge after ${maxTries} attempts: repeat the request`
    throw new StoreUnavailableError(message)
  }

  return {
    claim: (claim, leaseMs) => untilKnown(() => claimOnce({ ...claim, leaseMs })),
    claimChange(claim) {
      const { caller, key, orderID, change, requestedAtMs, traceparent } = claim
      const content = JSON.stringify([change, orderID])
      const fingerprint = createHash('sha256').update(content).digest('hex')
      const values = [caller, key, `\\x${fingerprint}`, orderID, requestedAtMs, traceparent]
      return untilKnown(async () => {
        if ((await run({ name: 'claim-change', text: claimChangeText, values })).rowCount === 1) return 'first'
        const [known] = (await lookUp([claim])).rows
        return known && (known.fingerprint === fingerprint ? 'repeated' : 'other-request')
      })
    },
    markStored,
    async release({ caller, key }, attempt) {
      const text = `UPDATE orders.idempotency_keys SET lease_until = now() ${named} AND attempt = $3 AND state = 'in-flight'`
      await run({ name: 'release-key', text, values: [caller, key, attempt] })
    },
    async forget({ caller, key }) {
      const text = `DELETE FROM orders.idempotency_keys ${named} AND attempt = 1 AND state = 'in-flight'`
      await run({ name: 'forget-key', text, values: [caller, key] })
    },
    async prune(olderThanMs, limit) {
      return (await run({ name: 'prune-keys', text: pruneText, values: [olderThanMs, limit] })).rowCount ?? 0
    }
  }
}

const nameOf = ({ caller, key }: KeyName) => JSON.stringify([caller, key])
const namesOf = (names: readonly KeyName[]) => [names.map(({ caller }) => caller), names.map(({ key }) => key)]
const byName = <Row extends KeyName>(rows: readonly Row[]) => new Map(rows.map(row => [nameOf(row), row]))

const named = 'WHERE caller = $1 AND key = $2'
const anyNamed = 'WHERE (caller, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))'
const inSequence = 'ORDER BY caller COLLATE "C", key COLLATE "C"'
const orderColumns =
  'order_id, accepted_at_ms, traceparent, topic_partition, producer_id::text, producer_epoch, sequence'

/**
 * Returns the claims as one JSON parameter. With an array per column, a single claim takes twice
 * the time.
 */
function rowsOf(claims: readonly TimedClaim[]): string {
  const rows = claims.map(({ caller, key, fingerprint, orderID, acceptedAtMs, traceparent, reservation, leaseMs }) => ({
    caller,
    key,
    fingerprint: `\\x${fingerprint}`,
    order_id: orderID,
    accepted_at_ms: acceptedAtMs,
    traceparent,
    topic_partition: reservation.partition,
    producer_id: String(reservation.producerID),
    producer_epoch: reservation.epoch,
    sequence: reservation.sequence,
    lease_ms: leaseMs
  }))
  return JSON.stringify(rows)
}

const given = `json_to_recordset($1) AS given (caller text, key text, fingerprint bytea, order_id text, accepted_at_ms bigint,
    traceparent text, topic_partition integer, producer_id bigint, producer_epoch integer, sequence integer, lease_ms float8)`
const kept =
  'caller, key, fingerprint, order_id, accepted_at_ms, traceparent, topic_partition, producer_id, producer_epoch, sequence'

const mayBeForgotten = "known.reserved_at < now() - $2 * interval '1 millisecond'"

/**
 * Inserts a row for the first claim of a key, makes a claim after the end of the lease the next
 * attempt, and returns no row otherwise.
 */
const claimText = `INSERT INTO orders.idempotency_keys AS known (${kept}, lease_until)
  SELECT ${kept}, now() + lease_ms * interval '1 millisecond' FROM ${given} ${inSequence}
  ON CONFLICT (caller, key) DO UPDATE SET
    attempt = known.attempt + 1,
    lease_until = excluded.lease_until,
    topic_partition = CASE WHEN ${mayBeForgotten} THEN excluded.topic_partition ELSE known.topic_partition END,
    producer_id = CASE WHEN ${mayBeForgotten} THEN excluded.producer_id ELSE known.producer_id END,
    producer_epoch = CASE WHEN ${mayBeForgotten} THEN excluded.producer_epoch ELSE known.producer_epoch END,
    sequence = CASE WHEN ${mayBeForgotten} THEN excluded.sequence ELSE known.sequence END,
    reserved_at = CASE WHEN ${mayBeForgotten} THEN now() ELSE known.reserved_at END,
    needs_lookup = known.needs_lookup OR ${mayBeForgotten}
    WHERE known.state = 'in-flight' AND known.fingerprint = excluded.fingerprint AND known.lease_until <= now()
  RETURNING caller, key, attempt, needs_lookup, ${orderColumns}`

const claimChangeText = `INSERT INTO orders.idempotency_keys
    (caller, key, fingerprint, order_id, accepted_at_ms, traceparent, state, lease_until)
  VALUES ($1, $2, $3, $4, $5, $6, 'stored', now()) ON CONFLICT (caller, key) DO NOTHING`

const lookUpText = `SELECT caller, key, encode(fingerprint, 'hex') AS fingerprint, state, ${orderColumns},
    extract(epoch FROM lease_until - now())::float8 * 1000 AS lease_left_ms
  FROM orders.idempotency_keys ${anyNamed}`

// A plain UPDATE would lock the rows in the order in which it finds them.
const markStoredText = `UPDATE orders.idempotency_keys AS known SET state = 'stored'
  FROM (SELECT caller, key FROM orders.idempotency_keys ${anyNamed} ${inSequence} FOR NO KEY UPDATE) AS locked
  WHERE known.caller = locked.caller AND known.key = locked.key`

const pruneText = `DELETE FROM orders.idempotency_keys WHERE (caller, key) IN (
    SELECT caller, key FROM orders.idempotency_keys WHERE lease_until < now() - $1 * interval '1 millisecond'
    ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED)`

function toClaimed(row: ClaimedRow): Claimed {
  const order = {
    orderID: row.order_id,
    acceptedAtMs: row.accepted_at_ms,
    traceparent: row.traceparent,
    reservation: {
      partition: row.topic_partition,
      producerID: BigInt(row.producer_id),
      epoch: row.producer_epoch,
      sequence: row.sequence
    }
  }
  return { kind: 'claimed', attempt: row.attempt, order, needsLookup: row.needs_lookup }
}

/** Returns the result of a claim that was not granted. */
function toPlacement(known: KnownRow, fingerprint: string): Placement {
  if (known.fingerprint !== fingerprint) return { kind: 'key-conflict' }
  if (known.state === 'in-flight')
    return { kind: 'in-flight', retryAfterMs: Math.max(1, Math.ceil(known.lease_left_ms)) }
  return { kind: 'placed', orderID: known.order_id, traceparent: known.traceparent, isReplay: true }
}

const pruneIntervalMs = 600_000
const rowsInAPrune = 5_000

/** Deletes old keys periodically. Instances that do so at the same time do not block each other. */
export function pruneKeys(
  keys: Pick<KeyStore, 'prune'>,
  { olderThanMs, logger }: { readonly olderThanMs: number; readonly logger: Logger }
): { stop(): void } {
  let isStopped = false

  async function prune(): Promise<void> {
    try {
      while (!isStopped && (await keys.prune(olderThanMs, rowsInAPrune)) === rowsInAPrune);
    } catch (error) {
      logger.warn(
        { event: 'idempotency_keys_not_pruned', error },
        'failed to delete old idempotency keys, will retry at the next interval'
      )
    }
  }

  const timer = setInterval(prune, pruneIntervalMs)
  timer.unref()
  return {
    stop() {
      isStopped = true
      clearInterval(timer)
    }
  }
}
