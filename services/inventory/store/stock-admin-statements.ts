import type { StockMoved } from '@orderly/contracts'
import type { Statement } from '@orderly/postgres'
import { levelColumns, movementColumns, stockMovedColumns } from './rows.ts'
import type { AdjustmentRequest, MovementCause, StockMovement } from './stock-admin.ts'
import type { StockLevel } from './stock-store.ts'

/**
 * The SQL of stock movements. Every statement locks SKUs in the same order, which prevents
 * deadlocks.
 */

/** Inserts the unknown SKUs with zero pieces. */
export function addSKUs(skus: readonly string[]): Statement {
  return {
    name: 'add-skus',
    text: `INSERT INTO inventory.stock (sku, available)
      SELECT sku, 0 FROM unnest($1::text[]) AS given (sku) ORDER BY sku COLLATE "C"
      ON CONFLICT (sku) DO NOTHING`,
    values: [skus]
  }
}

export function lockLevels(skus: readonly string[]): Statement<StockLevel> {
  return {
    name: 'lock-levels',
    text: `SELECT ${levelColumns} FROM inventory.stock WHERE sku = ANY($1::text[]) ORDER BY sku FOR UPDATE`,
    values: [skus]
  }
}

export function writeAvailable(levels: readonly StockLevel[]): Statement {
  return {
    name: 'write-available',
    text: `UPDATE inventory.stock SET available = level.available
      FROM unnest($1::text[], $2::bigint[]) AS level (sku, available) WHERE stock.sku = level.sku`,
    values: [levels.map(({ sku }) => sku), levels.map(({ available }) => available)]
  }
}

export interface Moved {
  readonly kind: 'set' | 'adjust' | 'count'
  readonly level: StockLevel
  readonly delta: number
}

export function insertMovements(
  moved: readonly Moved[],
  { by, reason }: MovementCause,
  key?: AdjustmentRequest['key']
): Statement {
  return {
    name: 'insert-movements',
    text: `INSERT INTO inventory.stock_movements
        (sku, kind, delta, available, reserved, by_whom, reason, caller, idempotency_key)
      SELECT sku, kind, delta, available, reserved, $6, $7, $8, $9
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
        AS moved (sku, delta, available, reserved, kind)`,
    values: [
      moved.map(({ level }) => level.sku),
      moved.map(({ delta }) => delta),
      moved.map(({ level }) => level.available),
      moved.map(({ level }) => level.reserved),
      moved.map(({ kind }) => kind),
      by,
      reason ?? null,
      key?.caller ?? null,
      key?.key ?? null
    ]
  }
}

/** The movement of an adjustment that has an idempotency key. */
type AdjustmentRow = Pick<StockMovement, 'sku' | 'delta' | 'reason' | 'available' | 'reserved'>

export function findAdjustment({ caller, key }: AdjustmentRequest['key']): Statement<AdjustmentRow> {
  return {
    name: 'find-adjustment',
    text: `SELECT sku, delta, reason, available, reserved FROM inventory.stock_movements
      WHERE caller = $1 AND idempotency_key = $2`,
    values: [caller, key]
  }
}

/** Reads the level of one SKU. */
export function selectLevel(sku: string): Statement<StockLevel> {
  return { name: 'select-level', text: `SELECT ${levelColumns} FROM inventory.stock WHERE sku = $1`, values: [sku] }
}

export function pageOfLevels(after: string, limit: number): Statement<StockLevel> {
  return {
    name: 'page-of-levels',
    text: `SELECT ${levelColumns} FROM inventory.stock WHERE sku > $1 ORDER BY sku LIMIT $2`,
    values: [after, limit]
  }
}

export function movementsOf(sku: string, before: number, limit: number): Statement<StockMovement> {
  return {
    name: 'movements-of',
    text: `SELECT ${movementColumns}
      FROM inventory.stock_movements WHERE sku = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3`,
    values: [sku, before, limit]
  }
}

/** Reads unpublished movements; those of each SKU are in the order in which they happened. */
export function unpublishedMovements(limit: number): Statement<StockMoved> {
  return {
    name: 'unpublished-movements',
    text: `SELECT ${stockMovedColumns}
      FROM inventory.stock_movements WHERE NOT published ORDER BY sequence LIMIT $1`,
    values: [limit]
  }
}

export function markPublished(movementIDs: readonly string[]): Statement {
  return {
    name: 'mark-published',
    text: 'UPDATE inventory.stock_movements SET published = true WHERE movement_id = ANY($1::text[]::uuid[])',
    values: [movementIDs]
  }
}

/**
 * Ensures one publisher at a time, so that the movements of a SKU keep their order in the topic.
 */
export const lockPublishing: Statement<{ readonly locked: boolean }> = {
  name: 'lock-publishing',
  text: "SELECT pg_try_advisory_xact_lock(hashtextextended('inventory.stock_movements', 0)) AS locked",
  values: []
}

export const countUnpublished: Statement<{ readonly count: number }> = {
  name: 'count-unpublished',
  text: 'SELECT count(*) AS count FROM inventory.stock_movements WHERE NOT published',
  values: []
}
