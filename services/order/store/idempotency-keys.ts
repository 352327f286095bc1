import { createHash } from 'node:crypto'
import { inGroups } from '@orderly/batching'
import { isUniqueViolation, type Logger, type Statement, StoreUnavailableError } from '@orderly/postgres'
import type { RunStatement } from './database.ts'
import {
  type BatchClaim,
  type KeyClaim,
  type KeyName,
  type KeyState,
  type KeyStore,
  type KnownKey,
  reservationTrustMs,
  type TakenBatch,
  type TakenSingle
} from './key-state.ts'

/** A row of `orders.idempotency_keys` with the state of its batch. */
interface KeyRow extends KeyName {
  readonly fingerprint: Buffer
  readonly order_id: string
  readonly accepted_at_ms: number
  readonly traceparent: string
  readonly kind: KeyState['kind']
  readonly batch_id: string | null
  readonly lease_left_ms: number
}

interface SingleRow {
  readonly attempt: number
  readonly topic_partition: number
  readonly producer_id: string
  readonly producer_epoch: number
  readonly sequence: number
  readonly may_be_forgotten: boolean
  readonly needs_lookup: boolean
}

/** Attempts to settle a key whose state changes meanwhile; then `notConverged` is thrown. */
export const maxTries = 5

/**
 * Creates a key store. Leases use the clock of the database, which all instances share.
 *
 * A group of orders needs two statements: one INSERT claims its keys and stores its batches, one
 * DELETE marks the batches as stored. Neither changes a row of a key, so keys leave no dead rows
 * behind. The INSERT first looks for the keys, so a repeated request causes no error in the log of
 * Postgres. Only a race of two instances does.
 *
 * Statements on many rows lock them in a fixed order, so that instances cannot deadlock.
 */
export function createKeyStore(run: RunStatement): KeyStore {
  async function lookUp(names: readonly KeyName[]): Promise<KnownKey[]> {
    const values = [names.map(({ caller }) => caller), names.map(({ key }) => key)]
    return (await run<KeyRow>({ name: 'look-up-keys', text: lookUpText, values })).rows.map(toKnown)
  }

  const markStored = inGroups(async (batchIDs: readonly string[]) => {
    await run({ name: 'mark-batches-stored', text: markStoredText, values: [batchIDs] })
    return batchIDs.map(() => undefined)
  })

  return {
    async claim(batches, leaseMs) {
      try {
        const { rowCount } = await run(claimStatement(batches, leaseMs))
        if (rowCount !== 0) return undefined
      } catch (error) {
        if (!isUniqueViolation(error, 'idempotency_keys_pkey')) throw error
      }
      return lookUp(batches.flatMap(({ claims }) => claims))
    },
    markStored,
    async takeBatch(batchID, { caller, key }, leaseMs) {
      const values = [caller, key, batchID, leaseMs, reservationTrustMs, visibleLeaseMs]
      return (await run<TakenBatch>({ name: 'take-batch', text: takeBatchText, values })).rows[0]
    },
    async releaseBatch(batchID, attempt) {
      const text = 'UPDATE orders.reserved_batches SET lease_until = now() WHERE id = $1 AND attempt = $2'
      await run({ name: 'release-batch', text, values: [batchID, attempt] })
    },
    async forgetBatch({ id, claims }) {
      const values = [claims.map(({ caller }) => caller), claims.map(({ key }) => key), id]
      return (await run({ name: 'forget-batch', text: forgetText, values })).rowCount !== 0
    },
    async move({ caller, key, state }, { id, partition, bytes }, leaseMs) {
      const former = state.kind === 'in-batch' ? state.batchID : null
      const values = [caller, key, former, id, partition, bytes, leaseMs, visibleLeaseMs]
      return (await run({ name: 'move-key', text: moveText, values })).rowCount === 1
    },
    async claimChange(claim) {
      const { caller, key, orderID, change, requestedAtMs, traceparent } = claim
      const fingerprint = createHash('sha256')
        .update(JSON.stringify([change, orderID]))
        .digest()
      const values = [caller, key, fingerprint, orderID, requestedAtMs, traceparent, visibleLeaseMs]
      // The key may be deleted between the two statements.
      for (let tries = 0; tries < maxTries; tries++) {
        if ((await run({ name: 'claim-change', text: claimChangeText, values })).rowCount === 1) return 'first'
        const [known] = await lookUp([claim])
        if (known !== undefined) return known.fingerprint.equals(fingerprint) ? 'repeated' : 'other-request'
      }
      throw notConverged()
    },
    async prune(olderThanMs, limit) {
      const { rowCount } = await run({
        name: 'prune-keys',
        text: pruneText,
        values: [olderThanMs, limit, visibleLeaseMs]
      })
      if ((rowCount ?? 0) < limit) await run({ name: 'prune-batches', text: pruneBatchesText, values: [olderThanMs] })
      return rowCount ?? 0
    },
    async takeSingle({ caller, key }, leaseMs) {
      const values = [caller, key, leaseMs, reservationTrustMs]
      const [row] = (await run<SingleRow>({ name: 'take-single', text: takeSingleText, values })).rows
      return row && toSingle(row)
    },
    async releaseSingle({ caller, key }, attempt) {
      const text = `UPDATE orders.idempotency_keys SET lease_until = now() ${named} AND attempt = $3 AND state = 'in-flight'`
      await run({ name: 'release-key', text, values: [caller, key, attempt] })
    },
    async markSingleStored({ caller, key }) {
      const text = `UPDATE orders.idempotency_keys SET state = 'stored' ${named}`
      await run({ name: 'mark-single-stored', text, values: [caller, key] })
    }
  }
}

export function notConverged(): StoreUnavailableError {
  return new StoreUnavailableError(
    `the state of an idempotency key changed during ${maxTries} attempts: repeat the request`
  )
}

/** Lease of a row without a sequence reservation, as version 0.1.0 reads it (see the migration). */
const visibleLeaseMs = reservationTrustMs + 3_600_000

const named = 'WHERE caller = $1 AND key = $2'
const inMs = (parameter: string) => `${parameter}::float8 * interval '1 millisecond'`

/**
 * Returns the statement that claims keys. It inserts all rows, or none if one of the keys exists.
 * OFFSET keeps the planner from reading the table instead of looking up each key.
 */
function claimStatement(batches: readonly BatchClaim[], leaseMs: number): Statement {
  const rows = batches
    .flatMap(batch => batch.claims.map(claim => ({ claim, batch })))
    .sort(({ claim: a }, { claim: b }) => compare(a.caller, b.caller) || compare(a.key, b.key))
  const column = <Value>(read: (claim: KeyClaim) => Value) => rows.map(({ claim }) => read(claim))
  return {
    name: 'claim-keys',
    text: claimText,
    values: [
      column(({ caller }) => caller),
      column(({ key }) => key),
      column(({ fingerprint }) => fingerprint),
      column(({ orderID }) => orderID),
      column(({ acceptedAtMs }) => acceptedAtMs),
      column(({ traceparent }) => traceparent),
      rows.map(({ batch }) => batch.id),
      batches.map(({ id }) => id),
      batches.map(({ partition }) => partition),
      batches.map(({ bytes }) => bytes),
      leaseMs,
      visibleLeaseMs
    ]
  }
}

/** Compares as Postgres does with COLLATE "C"; keys and callers are ASCII. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const claimText = `WITH free AS MATERIALIZED (
    SELECT WHERE NOT EXISTS (
      SELECT FROM unnest($1::text[], $2::text[]) AS given (caller, key), LATERAL (
        SELECT FROM orders.idempotency_keys AS known
        WHERE known.caller = given.caller AND known.key = given.key OFFSET 0
      ) AS found
    )
  ), batches AS (
    INSERT INTO orders.reserved_batches (id, topic_partition, batch, lease_until)
    SELECT given.*, now() + ${inMs('$11')} FROM free, unnest($8::uuid[], $9::integer[], $10::bytea[]) AS given
  )
  INSERT INTO orders.idempotency_keys
    (caller, key, fingerprint, order_id, accepted_at_ms, traceparent, batch_id, lease_until)
  SELECT given.*, now() + ${inMs('$12')}
  FROM free, unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::text[], $7::uuid[]) AS given`

const lookUpText = `SELECT known.caller, known.key, fingerprint, order_id, accepted_at_ms, traceparent, batch_id,
    CASE WHEN state = 'stored' THEN 'stored' WHEN producer_id IS NOT NULL THEN 'single'
      WHEN pending.id IS NULL THEN 'stored' ELSE 'in-batch' END AS kind,
    extract(epoch FROM
      CASE WHEN producer_id IS NULL THEN pending.lease_until ELSE known.lease_until END - now())::float8 * 1000 AS lease_left_ms
  FROM orders.idempotency_keys AS known LEFT JOIN orders.reserved_batches AS pending ON pending.id = known.batch_id
  WHERE (known.caller, known.key) IN (SELECT * FROM unnest($1::text[], $2::text[]))`

// A plain DELETE would lock the rows in the order in which it finds them.
const markStoredText = `DELETE FROM orders.reserved_batches WHERE id = ANY (ARRAY(
    SELECT id FROM orders.reserved_batches WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE))`

const takeBatchText = `WITH taken AS (
    UPDATE orders.reserved_batches SET attempt = attempt + 1, lease_until = now() + ${inMs('$4')}
    WHERE id = $3 AND lease_until <= now()
    RETURNING *
  ), kept AS (
    UPDATE orders.idempotency_keys SET lease_until = now() + ${inMs('$6')}
    ${named} AND batch_id IN (SELECT id FROM taken)
  )
  SELECT id, topic_partition AS partition, batch AS bytes, attempt,
    reserved_at < now() - ${inMs('$5')} AS "mayBeForgotten" FROM taken`

const forgetText = `WITH forgotten AS (
    DELETE FROM orders.reserved_batches WHERE id = $3 AND attempt = 1 RETURNING id
  )
  DELETE FROM orders.idempotency_keys USING forgotten
  WHERE batch_id = forgotten.id AND (caller, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))`

/** Writes the batch only if the key still has its former state, and the key only with its batch. */
const moveText = `WITH moved AS (
    UPDATE orders.idempotency_keys SET batch_id = $4, lease_until = now() + ${inMs('$8')}, reserved_at = now(),
      attempt = attempt + 1, topic_partition = NULL, producer_id = NULL, producer_epoch = NULL, sequence = NULL
    ${named} AND state = 'in-flight'
      AND CASE WHEN $3::uuid IS NULL THEN producer_id IS NOT NULL ELSE batch_id = $3 AND producer_id IS NULL END
    RETURNING 1
  )
  INSERT INTO orders.reserved_batches (id, topic_partition, batch, lease_until)
  SELECT $4::uuid, $5::integer, $6::bytea, now() + ${inMs('$7')} FROM moved`

const claimChangeText = `INSERT INTO orders.idempotency_keys
    (caller, key, fingerprint, order_id, accepted_at_ms, traceparent, state, lease_until)
  VALUES ($1, $2, $3, $4, $5, $6, 'stored', now() + ${inMs('$7')}) ON CONFLICT (caller, key) DO NOTHING`

/**
 * Deletes keys whose last claim is old. In rows that 0.1.0 has written, that is the end of a lease;
 * in all others it is the visible lease minus its length. An order whose batch is still retried keeps
 * its key.
 */
const pruneText = `DELETE FROM orders.idempotency_keys WHERE (caller, key) IN (
    SELECT caller, key FROM orders.idempotency_keys AS known
    WHERE lease_until < now() - ${inMs('$1')} + ${inMs('$3')}
      AND (lease_until < now() - ${inMs('$1')} OR producer_id IS NULL AND claimed_at < now() - ${inMs('$1')})
      AND NOT EXISTS (
        SELECT FROM orders.reserved_batches AS pending
        WHERE pending.id = known.batch_id AND pending.lease_until >= now() - ${inMs('$1')} OFFSET 0
      )
    ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED)`

/** Deletes batches an hour after their keys, because a key without its batch counts as stored. */
const pruneBatchesText = `DELETE FROM orders.reserved_batches AS pending
  WHERE lease_until < now() - ${inMs('$1')} - interval '1 hour'`

const takeSingleText = `UPDATE orders.idempotency_keys
  SET attempt = attempt + 1, lease_until = now() + ${inMs('$3')}
  ${named} AND state = 'in-flight' AND producer_id IS NOT NULL AND lease_until <= now()
  RETURNING attempt, topic_partition, producer_id::text, producer_epoch, sequence, needs_lookup,
    reserved_at < now() - ${inMs('$4')} AS may_be_forgotten`

function toKnown({ order_id, accepted_at_ms, kind, batch_id, lease_left_ms, ...row }: KeyRow): KnownKey {
  const state: KeyState =
    kind === 'stored'
      ? { kind }
      : kind === 'single'
        ? { kind, leaseLeftMs: lease_left_ms }
        : { kind, batchID: batch_id as string, leaseLeftMs: lease_left_ms }
  return { ...row, orderID: order_id, acceptedAtMs: accepted_at_ms, state }
}

function toSingle({ attempt, may_be_forgotten, needs_lookup, ...row }: SingleRow): TakenSingle {
  return {
    attempt,
    reservation: {
      partition: row.topic_partition,
      producerID: BigInt(row.producer_id),
      epoch: row.producer_epoch,
      sequence: row.sequence
    },
    mayBeForgotten: may_be_forgotten,
    needsLookup: needs_lookup
  }
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
