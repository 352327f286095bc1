import { isPostgresConflict, retryTransient, type Statement } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { mergeChanges, type OrderChange } from '../domain/order-change.ts'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from './order-store.ts'
import { orUnavailable } from './unavailable.ts'

const liveTable = 'orders.orders'

/** @param table another one of the same form, while it is being rebuilt */
export function createPostgresOrderStore(pool: Pool, table = liveTable): OrderStore {
  const run = ({ name, text, values }: Statement) => orUnavailable(pool.query({ name, text, values: [...values] }))
  return {
    async apply(changes) {
      if (changes.length === 0) return
      const statement = upsert(table, mergeChanges(changes))
      // Instances that both think they own a partition may meet in opposite sequence.
      await retryTransient(() => run(statement), { isTransient: isPostgresConflict, attempts: 10, firstDelayMs: 2 })
    },
    async find(orderIDs) {
      const { rows } = await run(selectByID(table, orderIDs))
      return new Map(rows.map(row => [row.order_id, toOrder(row)]))
    },
    async list(userID, { limit, beforeID }) {
      const { rows } = await run(selectOfUser(table, userID, limit + 1, beforeID))
      return { orders: rows.slice(0, limit).map(toOrder), hasMore: rows.length > limit }
    }
  }
}

/** One statement for a whole batch. Rows that would not change are left alone, so a batch that comes again costs no writes. */
function upsert(table: string, changes: readonly OrderChange[]): Statement {
  const rows = changes.toSorted((a, b) => (a.orderID < b.orderID ? -1 : 1))
  const failures = rows.map(({ decided }) => (decided?.kind === 'failed' ? decided : undefined))
  return {
    name: `upsert ${table}`,
    text: `INSERT INTO ${table} AS known (${columns})
      SELECT ${columns.replace('accepted_at', 'to_timestamp(accepted_at)').replace('decided_at', 'to_timestamp(decided_at)')}
      FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::bigint[], $5::text[], $6::float8[], $7::text[], $8::integer[],
        $9::bigint[], $10::text[], $11::text[], $12::jsonb[], $13::float8[], $14::integer[], $15::bigint[])
        AS change (${columns})
      ${addWhatIsNew}`,
    values: [
      rows.map(({ orderID }) => orderID),
      rows.map(({ userID }) => userID),
      rows.map(({ created }) => created && JSON.stringify(created.items)),
      rows.map(({ created }) => created?.totalMinor),
      rows.map(({ created }) => created?.currency),
      rows.map(({ created }) => created && created.acceptedAtMs / 1_000),
      rows.map(({ created }) => created?.traceID),
      rows.map(({ created }) => created?.partition),
      rows.map(({ created }) => created?.offset),
      rows.map(({ decided }) => decided?.kind),
      failures.map(failure => failure?.reason),
      failures.map(failure => failure && JSON.stringify(failure.shortages)),
      rows.map(({ decided }) => decided && decided.decidedAtMs / 1_000),
      rows.map(({ decided }) => decided?.partition),
      rows.map(({ decided }) => decided?.offset)
    ]
  }
}

/** What is known of an order stays. */
export const addWhatIsNew = `ON CONFLICT (order_id) DO UPDATE SET
        items = coalesce(known.items, excluded.items),
        total_minor = coalesce(known.total_minor, excluded.total_minor),
        currency = coalesce(known.currency, excluded.currency),
        accepted_at = coalesce(known.accepted_at, excluded.accepted_at),
        trace_id = CASE WHEN known.accepted_at IS NULL THEN excluded.trace_id ELSE known.trace_id END,
        created_partition = coalesce(known.created_partition, excluded.created_partition),
        created_offset = coalesce(known.created_offset, excluded.created_offset),
        outcome = coalesce(known.outcome, excluded.outcome),
        reason = CASE WHEN known.outcome IS NULL THEN excluded.reason ELSE known.reason END,
        shortages = CASE WHEN known.outcome IS NULL THEN excluded.shortages ELSE known.shortages END,
        decided_at = coalesce(known.decided_at, excluded.decided_at),
        outcome_partition = coalesce(known.outcome_partition, excluded.outcome_partition),
        outcome_offset = coalesce(known.outcome_offset, excluded.outcome_offset)
      WHERE (known.accepted_at IS NULL AND excluded.accepted_at IS NOT NULL)
        OR (known.outcome IS NULL AND excluded.outcome IS NOT NULL)`

export const columns =
  'order_id, user_id, items, total_minor, currency, accepted_at, trace_id, created_partition, created_offset, ' +
  'outcome, reason, shortages, decided_at, outcome_partition, outcome_offset'

const readColumns =
  'order_id, user_id, items, total_minor, currency, accepted_at, trace_id, outcome, reason, shortages, decided_at'

function selectByID(table: string, orderIDs: readonly string[]): Statement {
  return {
    name: `find in ${table}`,
    text: `SELECT ${readColumns} FROM ${table} WHERE order_id = ANY($1) AND accepted_at IS NOT NULL`,
    values: [orderIDs]
  }
}

function selectOfUser(table: string, userID: string, limit: number, beforeID: string | undefined): Statement {
  const [name, before] = beforeID === undefined ? ['newest', ''] : ['older', 'AND order_id < $3']
  return {
    name: `${name} of user in ${table}`,
    text: `SELECT ${readColumns} FROM ${table}
      WHERE user_id = $1 AND accepted_at IS NOT NULL ${before} ORDER BY order_id DESC LIMIT $2`,
    values: beforeID === undefined ? [userID, limit] : [userID, limit, beforeID]
  }
}

function toOrder(row: QueryResultRow): Order {
  return {
    orderID: row.order_id,
    userID: row.user_id,
    created: {
      items: row.items,
      totalMinor: row.total_minor,
      currency: row.currency,
      acceptedAtMs: row.accepted_at.getTime(),
      ...(row.trace_id !== null && { traceID: row.trace_id })
    },
    ...(row.outcome !== null && { decided: toDecision(row) })
  }
}

function toDecision({ outcome, reason, shortages, decided_at }: QueryResultRow): NonNullable<Order['decided']> {
  const decidedAtMs = decided_at.getTime()
  return outcome === 'reserved' ? { kind: outcome, decidedAtMs } : { kind: outcome, decidedAtMs, reason, shortages }
}
