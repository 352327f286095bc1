import type { Statement } from '@orderly/postgres'
import type { Outcome } from '../domain/decide.ts'
import { demandOf } from '../domain/order.ts'

/** The SQL of the store: each statement does its work for a whole batch, given as arrays. */

/** In SKU order, so that batches that share SKUs wait for each other instead of deadlocking. */
export function lockStock(skus: readonly string[]): Statement {
  return {
    name: 'lock-stock',
    text: 'SELECT sku, available FROM inventory.stock WHERE sku = ANY($1) ORDER BY sku FOR UPDATE',
    values: [skus]
  }
}

export function findOutcomes(orderIDs: readonly string[]): Statement {
  return {
    name: 'find-outcomes',
    text: `SELECT order_id, user_id, kind, items, reason, shortages, decided_at
      FROM inventory.outcomes WHERE order_id = ANY($1)`,
    values: [orderIDs]
  }
}

export function takeStock(taken: ReadonlyMap<string, number>): Statement {
  return {
    name: 'take-stock',
    text: `UPDATE inventory.stock
      SET available = available - taken.quantity, reserved = reserved + taken.quantity
      FROM unnest($1::text[], $2::bigint[]) AS taken (sku, quantity)
      WHERE stock.sku = taken.sku`,
    values: [[...taken.keys()], [...taken.values()]]
  }
}

/** Fails with a unique violation, and with it the whole transaction, when another one decided one of the orders. */
export function insertOutcomes(outcomes: readonly Outcome[], decidedAt: Date): Statement {
  const failures = outcomes.map(({ kind, event }) => (kind === 'failed' ? event : undefined))
  return {
    name: 'insert-outcomes',
    text: `INSERT INTO inventory.outcomes (order_id, user_id, kind, items, reason, shortages, decided_at)
      SELECT order_id, user_id, kind, items, reason, shortages, $7
      FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::jsonb[])
        AS outcome (order_id, user_id, kind, items, reason, shortages)`,
    values: [
      outcomes.map(({ event }) => event.orderID),
      outcomes.map(({ event }) => event.userID),
      outcomes.map(({ kind }) => kind),
      outcomes.map(({ kind, event }) => (kind === 'reserved' ? JSON.stringify(event.items) : null)),
      failures.map(failure => failure?.reason),
      failures.map(failure => failure && JSON.stringify(failure.shortages)),
      decidedAt
    ]
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

/** @param skus undefined for all */
export function selectLevels(skus: readonly string[] | undefined): Statement {
  return {
    name: 'select-levels',
    text: `SELECT sku, available, reserved FROM inventory.stock
      WHERE $1::text[] IS NULL OR sku = ANY($1) ORDER BY sku`,
    values: [skus ?? null]
  }
}
