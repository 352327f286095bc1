import { orUnavailable, StoreUnavailableError } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { slotTrustMs } from '../domain/known-key.ts'
import type { Claimed, KeptOrder, KeyClaim, KeyStore } from './key-store.ts'

/** One clock for all instances: the database's. */
export function createPostgresKeyStore(pool: Pool): KeyStore {
  const run = async (name: string, text: string, values: unknown[]) =>
    orUnavailable(pool.query<QueryResultRow>({ name, text, values }))

  async function claimOnce(claim: KeyClaim, leaseMs: number): Promise<Claimed | undefined> {
    const { caller, key, fingerprint, orderID, acceptedAtMs, traceparent, slot } = claim
    const { partition, producerID, epoch, sequence } = slot
    const own = [orderID, acceptedAtMs, traceparent, partition, producerID, epoch, sequence]
    const inserted = await run('claim-key', claimText, [caller, key, `\\x${fingerprint}`, ...own, leaseMs, slotTrustMs])
    const [row] = inserted.rows
    if (row !== undefined) return { kind: 'yours', attempt: row.attempt, order: toOrder(row), mustLook: row.must_look }
    const [known] = (await run('look-up-key', lookUpText, [caller, key, `\\x${fingerprint}`])).rows
    if (known === undefined) return undefined
    if (!known.is_same) return { kind: 'other-body' }
    if (known.state === 'stored') return { kind: 'stored', order: toOrder(known) }
    return { kind: 'in-flight', retryAfterMs: Math.max(1, Math.ceil(known.lease_left_ms)) }
  }

  return {
    async claim(claim, leaseMs) {
      for (let tries = 0; tries < 5; tries++) {
        const claimed = await claimOnce(claim, leaseMs)
        // Undefined: it was forgotten between the two statements.
        if (claimed !== undefined) return claimed
      }
      throw new StoreUnavailableError('the key is claimed and forgotten again and again')
    },
    async settle({ caller, key }) {
      await run('settle-key', `UPDATE orders.idempotency_keys SET state = 'stored' ${named}`, [caller, key])
    },
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

const named = 'WHERE caller = $1 AND key = $2'
const orderColumns =
  'order_id, accepted_at_ms, traceparent, topic_partition, producer_id::text, producer_epoch, sequence'

const mayBeForgotten = "known.slot_at < now() - $12 * interval '1 millisecond'"

/** A row for the first, the lease for whoever comes when it is over, nothing for all others. */
const claimText = `INSERT INTO orders.idempotency_keys AS known (caller, key, fingerprint, order_id, accepted_at_ms,
    traceparent, topic_partition, producer_id, producer_epoch, sequence, lease_until)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11 * interval '1 millisecond')
  ON CONFLICT (caller, key) DO UPDATE SET
    attempt = known.attempt + 1,
    lease_until = excluded.lease_until,
    topic_partition = CASE WHEN ${mayBeForgotten} THEN excluded.topic_partition ELSE known.topic_partition END,
    producer_id = CASE WHEN ${mayBeForgotten} THEN excluded.producer_id ELSE known.producer_id END,
    producer_epoch = CASE WHEN ${mayBeForgotten} THEN excluded.producer_epoch ELSE known.producer_epoch END,
    sequence = CASE WHEN ${mayBeForgotten} THEN excluded.sequence ELSE known.sequence END,
    slot_at = CASE WHEN ${mayBeForgotten} THEN now() ELSE known.slot_at END,
    must_look = known.must_look OR ${mayBeForgotten}
    WHERE known.state = 'in-flight' AND known.fingerprint = excluded.fingerprint AND known.lease_until <= now()
  RETURNING attempt, must_look, ${orderColumns}`

const lookUpText = `SELECT fingerprint = $3 AS is_same, state, ${orderColumns},
    extract(epoch FROM lease_until - now())::float8 * 1000 AS lease_left_ms
  FROM orders.idempotency_keys ${named}`

const pruneText = `DELETE FROM orders.idempotency_keys WHERE (caller, key) IN (
    SELECT caller, key FROM orders.idempotency_keys WHERE claimed_at < now() - $1 * interval '1 millisecond'
    ORDER BY claimed_at LIMIT $2 FOR UPDATE SKIP LOCKED)`

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
