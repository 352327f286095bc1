import assert from 'node:assert/strict'
import { failureReasons } from '@orderly/contracts'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, type PoolSettings } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import type { OrderToDecide } from '../../domain/order.ts'
import { at, decide } from '../../domain/testing/decide.ts'
import { inventorySessionSettings } from '../schema.ts'

export interface InventoryDatabase {
  readonly url: string
  /** Opens a separate pool for an instance, which is closed at the end of the test. */
  open(settings?: Partial<PoolSettings>): Pool
}

export async function createInventoryDatabase(scope: {
  after(release: () => Promise<void>): void
}): Promise<InventoryDatabase> {
  const url = await integrationEnvironment().databaseURL()
  const open = (settings: Partial<PoolSettings> = {}) => {
    const pool = createPool({
      url,
      maxConnections: 4,
      applicationName: 'inventory',
      statementTimeoutMs: 10_000,
      sessionSettings: inventorySessionSettings,
      ...settings
    })
    scope.after(() => pool.end())
    return pool
  }
  return { url, open }
}

export async function emptyInventory(pool: Pool): Promise<void> {
  await pool.query(
    `TRUNCATE inventory.stock, inventory.stock_movements, inventory.outcomes, inventory.reservation_lines,
      inventory.settlements, inventory.holds, inventory.positions`
  )
}

/** Asserts that the movements of every SKU add up to its available and reserved pieces. */
export async function checkMovements(pool: Pool): Promise<void> {
  const { rows } = await pool.query(`SELECT sku, available, reserved, coalesce(sum(delta), 0)::bigint AS moved
    FROM inventory.stock LEFT JOIN (SELECT sku, delta FROM inventory.stock_movements) AS movement USING (sku)
    GROUP BY sku, available, reserved`)
  for (const { sku, available, reserved, moved } of rows) assert.equal(available + reserved, moved, sku)
}

/**
 * Audits the tables. Asserts that pieces are conserved and that reservation lines match reserved
 * outcomes. Also replays all movements, decisions and releases in sequence and asserts that this
 * gives the stored outcomes.
 */
export async function checkBooks(
  pool: Pool,
  putIn: ReadonlyMap<string, number>,
  orders: readonly OrderToDecide[]
): Promise<void> {
  const stock = await pool.query('SELECT sku, available, reserved FROM inventory.stock')
  const lines = await pool.query(
    'SELECT order_id, sku, quantity FROM inventory.reservation_lines ORDER BY order_id, sku'
  )
  const movements = await pool.query('SELECT sequence, sku, delta FROM inventory.stock_movements')
  const outcomes = await pool.query('SELECT * FROM inventory.outcomes')
  const releases = await pool.query("SELECT order_id, sequence FROM inventory.settlements WHERE kind = 'released'")

  for (const { sku, available, reserved } of stock.rows) assert.equal(available + reserved, putIn.get(sku), sku)
  await checkMovements(pool)
  assert.equal(outcomes.rows.length, new Set(orders.map(({ orderID }) => orderID)).size)

  const ordersByID = new Map(orders.map(order => [order.orderID, order]))
  const isReleased = new Set(releases.rows.map(row => row.order_id))
  const left = new Map<string, number>()
  const add = (sku: string, pieces: number) => left.set(sku, (left.get(sku) ?? 0) + pieces)
  const held: object[] = []

  function replayOutcome(row: QueryResultRow): void {
    if (row.reason === failureReasons.cancelled) return
    const order = ordersByID.get(row.order_id)
    assert.ok(order, `an outcome without an order: ${row.order_id}`)
    const { outcomes, taken } = decide(left, [order], at(0))
    const [outcome] = outcomes
    const expected = outcome?.kind === 'reserved' ? { items: order.items } : { shortages: outcome?.event.shortages }
    assert.deepEqual(row.kind === 'reserved' ? { items: row.items } : { shortages: row.shortages }, expected)
    for (const [sku, quantity] of taken) {
      add(sku, -quantity)
      if (!isReleased.has(row.order_id)) held.push({ order_id: row.order_id, sku, quantity })
    }
  }

  const steps: { readonly sequence: number; readonly replay: () => void }[] = [
    ...movements.rows.map(({ sequence, sku, delta }) => ({ sequence, replay: () => void add(sku, delta) })),
    ...outcomes.rows.map(row => ({ sequence: row.sequence, replay: () => replayOutcome(row) })),
    ...releases.rows.map(({ sequence, order_id }) => ({
      sequence,
      replay: () => ordersByID.get(order_id)?.items.forEach(({ sku, quantity }) => void add(sku, quantity))
    }))
  ]
  for (const { replay } of steps.toSorted((a, b) => a.sequence - b.sequence)) replay()
  for (const { sku, available } of stock.rows) assert.equal(available, left.get(sku), sku)
  const inOrder = (rows: object[]) => rows.map(row => JSON.stringify(Object.entries(row).sort())).sort()
  assert.deepEqual(inOrder(lines.rows), inOrder(held))
}
