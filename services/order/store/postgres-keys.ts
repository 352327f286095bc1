import { createHash } from 'node:crypto'
import { inGroups } from '@orderly/batching'
import { orUnavailable, runStatement, StoreUnavailableError } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { reservationTrustMs } from '../domain/idempotency-key-state.ts'
import type { ChangeClaim, Claimed, KeptOrder, KeyClaim, KeyName, KeyStore } from './key-store.ts'

/**
 * Creates a key store in Postgres. Leases use the clock of the database, which all instances share.
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
export function createPostgresKeyStore(pool: Pool): KeyStore {
  const run = async (name: string, text: string, values: unknown[]) =>
    orUnavailable(runStatement(pool, { name, text, values }))

  /** Claims a group of keys. A key that was deleted between the two statements gets undefined. */
  const claimOnce = inGroups(
    async (claims: readonly TimedClaim[]): Promise<(Claimed | undefined)[]> => {
      const inserted = byName((await run('claim-keys', claimText, [rowsOf(claims), reservationTrustMs])).rows)
      const others = claims.filter(claim => !inserted.has(nameOf(claim)))
      const found =
        others.length === 0 ? inserted : byName((await run('look-up-keys', lookUpText, namesOf(others))).rows)
      return claims.map(claim => {
        const name = nameOf(claim)
        const own = inserted.get(name)
        const other = found.get(name)
        return own !== undefined ? grant(own) : other && refusal(other, claim.fingerprint)
      })
    },
    { nameOf }
  )

  const settle = inGroups(
    async (names: readonly KeyName[]) => {
      await run('settle-keys', settleText, namesOf(names))
      return names.map(() => undefined)
    },
    { nameOf }
  )

  return {
    async claim(claim, leaseMs) {
      for (let tries = 0; tries < 5; tries++) {
        const claimed = await claimOnce({ ...claim, leaseMs })
        if (claimed !== undefined) return claimed
      }
      throw new StoreUnavailableError('idempotency key claim did not converge after 5 attempts: repeat the request')
    },
    async claimChange(claim) {
      const { caller, key, orderID, requestedAtMs, traceparent } = claim
      const fingerprint = fingerprintOf(claim)
      const values = [caller, key, `\\x${fingerprint}`, orderID, requestedAtMs, traceparent]
      for (let tries = 0; tries < 5; tries++) {
        if ((await run('claim-change', claimChangeText, values)).rowCount === 1) return 'first'
        const { rows } = await run('look-up-keys', lookUpText, namesOf([claim]))
        // Without a row, the key was deleted between the two statements: claim it again.
        if (rows[0] !== undefined) return rows[0].fingerprint === fingerprint ? 'repeated' : 'other-request'
      }
      throw new StoreUnavailableError('idempotency key claim did not converge after 5 attempts: repeat the request')
    },
    settle,
    async release({ caller, key }, attempt) {
      const text = `UPDATE orders.idempotency_keys SET lease_until = now() ${named} AND attempt = $3 AND state = 'in-flight'`
      await run('release-key', text, [caller, key, attempt])
    },
    async forget({ caller, key }) {
      const text = `DELETE FROM orders.idempotency_keys ${named} AND attempt = 1 AND state = 'in-flight'`
      await run('forget-key', text, [caller, key])
    },
    async prune(olderThanMs, limit) {
      return (await run('prune-keys', pruneText, [olderThanMs, limit])).rowCount ?? 0
    }
  }
}

type TimedClaim = KeyClaim & { readonly leaseMs: number }

const nameOf = ({ caller, key }: KeyName) => JSON.stringify([caller, key])
const namesOf = (names: readonly KeyName[]) => [names.map(({ caller }) => caller), names.map(({ key }) => key)]
const byName = (rows: QueryResultRow[]) => new Map(rows.map(row => [nameOf(row as KeyName), row]))

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
  const rows = claims.map(({ caller, key, fingerprint, orderID, acceptedAtMs, traceparent, slot, leaseMs }) => ({
    caller,
    key,
    fingerprint: `\\x${fingerprint}`,
    order_id: orderID,
    accepted_at_ms: acceptedAtMs,
    traceparent,
    topic_partition: slot.partition,
    producer_id: String(slot.producerID),
    producer_epoch: slot.epoch,
    sequence: slot.sequence,
    lease_ms: leaseMs
  }))
  return JSON.stringify(rows)
}

const given = `json_to_recordset($1) AS given (caller text, key text, fingerprint bytea, order_id text, accepted_at_ms bigint,
    traceparent text, topic_partition integer, producer_id bigint, producer_epoch integer, sequence integer, lease_ms float8)`
const kept =
  'caller, key, fingerprint, order_id, accepted_at_ms, traceparent, topic_partition, producer_id, producer_epoch, sequence'

const mayBeForgotten = "known.slot_at < now() - $2 * interval '1 millisecond'"

/**
 * Inserts a row for the first claim of a key, renews a lease that has ended, and returns no row
 * otherwise.
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
    slot_at = CASE WHEN ${mayBeForgotten} THEN now() ELSE known.slot_at END,
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
const settleText = `UPDATE orders.idempotency_keys AS known SET state = 'stored'
  FROM (SELECT caller, key FROM orders.idempotency_keys ${anyNamed} ${inSequence} FOR NO KEY UPDATE) AS locked
  WHERE known.caller = locked.caller AND known.key = locked.key`

const pruneText = `DELETE FROM orders.idempotency_keys WHERE (caller, key) IN (
    SELECT caller, key FROM orders.idempotency_keys WHERE lease_until < now() - $1 * interval '1 millisecond'
    ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED)`

function fingerprintOf({ change, orderID }: ChangeClaim): string {
  return createHash('sha256')
    .update(JSON.stringify([change, orderID]))
    .digest('hex')
}

function grant(own: QueryResultRow): Claimed {
  return { kind: 'yours', attempt: own.attempt, order: toOrder(own), needsLookup: own.needs_lookup }
}

function refusal(known: QueryResultRow, fingerprint: string): Claimed {
  if (known.fingerprint !== fingerprint) return { kind: 'key-conflict' }
  if (known.state === 'stored') return { kind: 'stored', order: toOrder(known) }
  return { kind: 'in-flight', retryAfterMs: Math.max(1, Math.ceil(known.lease_left_ms)) }
}

function toOrder(row: QueryResultRow): KeptOrder {
  return {
    orderID: row.order_id,
    acceptedAtMs: row.accepted_at_ms,
    traceparent: row.traceparent,
    slot: {
      partition: row.topic_partition,
      producerID: BigInt(row.producer_id),
      epoch: row.producer_epoch,
      sequence: row.sequence
    }
  }
}
