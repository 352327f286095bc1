import assert from 'node:assert/strict'
import { createPool, migrate, type PoolSettings } from '@orderly/postgres'
import { integrationEnvironment } from '@orderly/stack/testing'
import type { Pool } from 'pg'
import { decide } from '../../domain/decide.ts'
import type { OrderToDecide } from '../../domain/order.ts'
import { inventorySchema, inventorySessionSettings } from '../postgres.ts'

const silent = { info: () => {}, warn: () => {} }

export interface InventoryDatabase {
  readonly url: string
  /** A pool of its own for each instance, closed at the end of the test. */
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
  await migrate(open({ applicationName: 'migration' }), { ...inventorySchema, logger: silent })
  return { url, open }
}

export async function emptyInventory(pool: Pool): Promise<void> {
  await pool.query(
    `TRUNCATE inventory.stock, inventory.stock_movements, inventory.outcomes, inventory.reservation_lines,
      inventory.settlements, inventory.holds`
  )
}

/** Whatever was put in by anybody is accounted for: for every SKU the movements add up to what there is. */
export async function checkMovements(pool: Pool): Promise<void> {
  const { rows } = await pool.query(`SELECT sku, available, reserved, coalesce(sum(delta), 0)::bigint AS moved
    FROM inventory.stock LEFT JOIN (SELECT sku, delta FROM inventory.stock_movements) AS movement USING (sku)
    GROUP BY sku, available, reserved`)
  for (const { sku, available, reserved, moved } of rows) assert.equal(available + reserved, moved, sku)
}

/**
 * Audits the tables by themselves: nothing was made or lost, reservations and reserved outcomes are the same, and deciding
 * all orders again, one by one in the recorded sequence with what was released in between, gives the recorded outcomes.
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
  const outcomes = await pool.query('SELECT * FROM inventory.outcomes ORDER BY sequence')
  const releases = await pool.query("SELECT order_id, sequence FROM inventory.settlements WHERE kind = 'released'")

  for (const { sku, available, reserved } of stock.rows) assert.equal(available + reserved, putIn.get(sku), sku)
  await checkMovements(pool)
  assert.equal(outcomes.rows.length, new Set(orders.map(({ orderID }) => orderID)).size)

  const ordersByID = new Map(orders.map(order => [order.orderID, order]))
  const left = new Map(putIn)
  const released = new Map(releases.rows.map(row => [row.order_id, row.sequence]))
  const held: object[] = []
  const lastSequence = Math.max(0, ...released.values(), ...outcomes.rows.map(({ sequence }) => sequence))
  const steps = new Map(outcomes.rows.map(row => [row.sequence, row]))
  const givenBack = new Map([...released].map(([orderID, sequence]) => [sequence, ordersByID.get(orderID)]))
  for (let sequence = 0; sequence <= lastSequence; sequence++) {
    for (const { sku, quantity } of givenBack.get(sequence)?.items ?? []) left.set(sku, (left.get(sku) ?? 0) + quantity)
    const row = steps.get(sequence)
    if (row === undefined || row.reason === 'CANCELLED') continue
    const order = ordersByID.get(row.order_id)
    assert.ok(order, `an outcome without an order: ${row.order_id}`)
    const { outcomes, taken } = decide(left, [order], 0)
    const [outcome] = outcomes
    const expected = outcome?.kind === 'reserved' ? { items: order.items } : { shortages: outcome?.event.shortages }
    assert.deepEqual(row.kind === 'reserved' ? { items: row.items } : { shortages: row.shortages }, expected)
    for (const [sku, quantity] of taken) {
      left.set(sku, (left.get(sku) ?? 0) - quantity)
      if (!released.has(row.order_id)) held.push({ order_id: row.order_id, sku, quantity })
    }
  }
  for (const { sku, available } of stock.rows) assert.equal(available, left.get(sku), sku)
  const inOrder = (rows: object[]) => rows.map(row => JSON.stringify(Object.entries(row).sort())).sort()
  assert.deepEqual(inOrder(lines.rows), inOrder(held))
}
