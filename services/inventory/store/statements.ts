import type { Statement } from '@orderly/postgres'
import type { Settlement } from '../domain/decide-change.ts'
import type { Outcome } from '../domain/decide-order.ts'
import { demandOf } from '../domain/order.ts'
import {
  type DueHoldRow,
  dueHoldColumns,
  type OutcomeRow,
  outcomeColumns,
  type SettlementRow,
  settlementColumns
} from './rows.ts'
import type { StockLevel } from './stock-store.ts'

/** The SQL of the store. Each statement processes a whole batch, passed as arrays. */

/**
 * Locks SKUs in order, so that batches that share SKUs wait for each other instead of deadlocking.
 */
export function lockStock(skus: readonly string[]): Statement<Pick<StockLevel, 'sku' | 'available'>> {
  return {
    name: 'lock-stock',
    text: `SELECT sku, available FROM inventory.stock WHERE sku = ANY($1::text[])${inOrder}`,
    values: [skus]
  }
}

/** Locks the given SKUs and those that the orders have reserved. */
export function lockStockAndHeld(
  skus: readonly string[],
  orderIDs: readonly string[]
): Statement<Pick<StockLevel, 'sku' | 'available'>> {
  return {
    name: 'lock-stock-and-held',
    text: `SELECT sku, available FROM inventory.stock WHERE sku = ANY($1::text[] ||
      ARRAY(SELECT sku FROM inventory.reservation_lines WHERE order_id = ANY($2::text[])))${inOrder}`,
    values: [skus, orderIDs]
  }
}

const inOrder = ' ORDER BY sku FOR UPDATE'

/**
 * Draws sequence numbers for decisions. The numbers of each SKU rise, because its row is locked.
 */
export function drawSequences(count: number): Statement<{ readonly drawn: string }> {
  return {
    name: 'draw-sequences',
    // One text is parsed faster than many rows.
    text: `SELECT string_agg(nextval('inventory.decisions')::text, ',') AS drawn FROM generate_series(1, $1::integer)`,
    values: [count]
  }
}

/**
 * Serializes batches with holds of the same limited callers, so that they cannot exceed a limit
 * together. Acquired after the stock locks, in order of the callers' names.
 */
export function lockHolders(holders: readonly string[]): Statement {
  return {
    name: 'lock-holders',
    text: `SELECT count(pg_advisory_xact_lock(hashtextextended('inventory.holds ' || holder, 0)))
      FROM (SELECT holder FROM unnest($1::text[]) AS given (holder) ORDER BY holder COLLATE "C") AS sorted`,
    values: [holders]
  }
}

/**
 * Reads the pieces in unconfirmed holds of the callers. The limit bounds the rows per caller,
 * because each hold has at least one piece.
 */
export function heldPieces(
  holders: readonly string[]
): Statement<{ readonly holder: string; readonly pieces: number }> {
  return {
    name: 'held-pieces',
    text: `SELECT coalesce(caller, '') AS holder, sum(quantity)::bigint AS pieces
      FROM inventory.holds JOIN inventory.reservation_lines USING (order_id)
      WHERE coalesce(caller, '') = ANY($1::text[]) GROUP BY holder`,
    values: [holders]
  }
}

export function findOutcomes(orderIDs: readonly string[]): Statement<OutcomeRow> {
  return {
    name: 'find-outcomes',
    text: `SELECT ${outcomeColumns} FROM inventory.outcomes WHERE order_id = ANY($1::text[])`,
    values: [orderIDs]
  }
}

export function findSettlements(orderIDs: readonly string[]): Statement<SettlementRow> {
  return {
    name: 'find-settlements',
    text: `SELECT ${settlementColumns} FROM inventory.settlements WHERE order_id = ANY($1::text[])`,
    values: [orderIDs]
  }
}

/** Moves pieces from available to reserved; negative numbers move them back. */
export function moveStock(moved: ReadonlyMap<string, number>): Statement {
  return {
    name: 'move-stock',
    text: `UPDATE inventory.stock
      SET available = available - moved.quantity, reserved = reserved + moved.quantity
      FROM unnest($1::text[], $2::bigint[]) AS moved (sku, quantity)
      WHERE stock.sku = moved.sku`,
    values: [[...moved.keys()], [...moved.values()]]
  }
}

/**
 * Inserts outcomes. If another transaction decided one of the orders, a unique violation aborts
 * this transaction.
 */
export function insertOutcomes(outcomes: readonly Outcome[], decidedAt: Date): Statement {
  const failures = outcomes.map(({ kind, event }) => (kind === 'failed' ? event : undefined))
  const hasHolds = outcomes.some(outcome => holdEndOf(outcome) !== null)
  const [column, values] = hasHolds ? [', hold_until', ', $10::timestamptz[]'] : ['', '']
  return {
    name: hasHolds ? 'insert-held-outcomes' : 'insert-outcomes',
    text: `INSERT INTO inventory.outcomes
        (order_id, user_id, kind, items, reason, shortages, caller, sequence, decided_at${column})
      SELECT order_id, user_id, kind, items, reason, shortages, caller, sequence, $9${column}
      FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::jsonb[], $7::text[], $8::bigint[]${values})
        AS outcome (order_id, user_id, kind, items, reason, shortages, caller, sequence${column})`,
    values: [
      outcomes.map(({ event }) => event.orderID),
      outcomes.map(({ event }) => event.userID),
      outcomes.map(({ kind }) => kind),
      outcomes.map(({ kind, event }) => (kind === 'reserved' ? JSON.stringify(event.items) : null)),
      failures.map(failure => failure?.reason),
      failures.map(failure => failure && JSON.stringify(failure.shortages)),
      outcomes.map(({ caller }) => caller),
      outcomes.map(({ event }) => event.sequence),
      decidedAt,
      ...(hasHolds ? [outcomes.map(holdEndOf)] : [])
    ]
  }
}

function holdEndOf({ kind, event }: Outcome): Date | null {
  return kind === 'reserved' && event.holdUntilMs !== null ? new Date(event.holdUntilMs) : null
}

/** Inserts holds. @param outcomes the reserved outcomes that have a hold */
export function insertHolds(outcomes: readonly Outcome[]): Statement {
  return {
    name: 'insert-holds',
    text: `INSERT INTO inventory.holds (order_id, user_id, caller, expire_at)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])`,
    values: [
      outcomes.map(({ event }) => event.orderID),
      outcomes.map(({ event }) => event.userID),
      outcomes.map(({ caller }) => caller),
      outcomes.map(holdEndOf)
    ]
  }
}

/**
 * Inserts settlements. If another transaction made one of them, a unique violation aborts this
 * transaction.
 */
export function insertSettlements(settlements: readonly Settlement[], settledAt: Date): Statement {
  return {
    name: 'insert-settlements',
    text: `INSERT INTO inventory.settlements
        (order_id, kind, cause, request_id, sequence, changes_topic_id, changes_partition, changes_offset, settled_at)
      SELECT order_id, kind, cause, request_id, sequence, changes_topic_id::uuid, changes_partition, changes_offset, $9
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::integer[], $8::bigint[])
        AS settlement (order_id, kind, cause, request_id, sequence, changes_topic_id, changes_partition, changes_offset)`,
    values: [
      settlements.map(({ event }) => event.orderID),
      settlements.map(({ kind }) => kind),
      settlements.map(({ kind, event }) => (kind === 'released' ? event.cause : null)),
      settlements.map(({ event }) => event.requestID),
      settlements.map(({ event }) => event.sequence),
      settlements.map(({ position }) => position?.topicID),
      settlements.map(({ position }) => position?.partition),
      settlements.map(({ position }) => position?.offset),
      settledAt
    ]
  }
}

export function deleteHolds(orderIDs: readonly string[]): Statement {
  return {
    name: 'delete-holds',
    text: 'DELETE FROM inventory.holds WHERE order_id = ANY($1::text[])',
    values: [orderIDs]
  }
}

export function deleteReservationLines(orderIDs: readonly string[]): Statement {
  return {
    name: 'delete-reservation-lines',
    text: 'DELETE FROM inventory.reservation_lines WHERE order_id = ANY($1::text[])',
    values: [orderIDs]
  }
}

/** Claims due holds; concurrent instances claim different ones. */
export function takeDueHolds(at: Date, limit: number, againAt: Date): Statement<DueHoldRow> {
  return {
    name: 'take-due-holds',
    text: `UPDATE inventory.holds SET expire_at = greatest($3::timestamptz, $1::timestamptz + ($1 - hold_until) / 10)
      FROM inventory.outcomes
      WHERE outcomes.order_id = holds.order_id AND holds.order_id IN (
        SELECT order_id FROM inventory.holds WHERE expire_at <= $1 ORDER BY expire_at LIMIT $2 FOR UPDATE SKIP LOCKED)
      RETURNING ${dueHoldColumns}`,
    values: [at, limit, againAt]
  }
}

export function insertReservationLines(outcomes: readonly Outcome[]): Statement {
  const orderIDs: string[] = []
  const skus: string[] = []
  const quantities: number[] = []
  for (const { kind, event } of outcomes) {
    if (kind !== 'reserved') continue
    for (const [sku, quantity] of demandOf(event.items)) {
      orderIDs.push(event.orderID)
      skus.push(sku)
      quantities.push(quantity)
    }
  }
  return {
    name: 'insert-reservation-lines',
    text: `INSERT INTO inventory.reservation_lines (order_id, sku, quantity)
      SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])`,
    values: [orderIDs, skus, quantities]
  }
}

export function addMissing(pieces: ReadonlyMap<string, number>): Statement {
  return {
    name: 'add-missing',
    text: `WITH added AS (
        INSERT INTO inventory.stock (sku, available)
        SELECT sku, available FROM unnest($1::text[], $2::bigint[]) AS given (sku, available) ORDER BY sku COLLATE "C"
        ON CONFLICT (sku) DO NOTHING
        RETURNING sku, available, reserved
      )
      INSERT INTO inventory.stock_movements (sku, kind, delta, available, reserved, by_whom)
      SELECT sku, 'seed', available, available, reserved, 'seed' FROM added`,
    values: [[...pieces.keys()], [...pieces.values()]]
  }
}
