import type { Tables } from '../history/history.ts'
import { withDatabase } from '../run/servers.ts'

/** Reads the tables of the inventory. Its bigints fit into a number. */
export async function dumpTables(databaseURL: string): Promise<Tables> {
  return withDatabase(databaseURL, async client => {
    const stock = await client.query('SELECT sku, available, reserved FROM inventory.stock ORDER BY sku')
    const outcomes = await client.query(
      `SELECT order_id, user_id, kind, sequence, items, reason, shortages, decided_at
        FROM inventory.outcomes ORDER BY sequence`
    )
    const lines = await client.query('SELECT order_id, sku, quantity FROM inventory.reservation_lines ORDER BY 1, 2')
    const settlements = await client.query(
      `SELECT order_id, kind, cause, sequence, changes_partition, changes_offset
        FROM inventory.settlements ORDER BY sequence`
    )
    const movements = await client.query(
      `SELECT movement_id, sequence, sku, kind, delta, available, reserved, reason, idempotency_key
        FROM inventory.stock_movements ORDER BY sequence`
    )
    return {
      stock: stock.rows.map(({ sku, available, reserved }) => ({
        sku,
        available: Number(available),
        reserved: Number(reserved)
      })),
      outcomes: outcomes.rows.map(row => ({
        orderID: row.order_id,
        userID: row.user_id,
        kind: row.kind,
        sequence: Number(row.sequence),
        items: row.items,
        reason: row.reason,
        shortages: row.shortages,
        decidedAtMs: row.decided_at.getTime()
      })),
      reservationLines: lines.rows.map(({ order_id, sku, quantity }) => ({
        orderID: order_id,
        sku,
        quantity: Number(quantity)
      })),
      settlements: settlements.rows.map(row => ({
        orderID: row.order_id,
        kind: row.kind,
        cause: row.cause,
        sequence: Number(row.sequence),
        partition: row.changes_partition,
        offset: Number(row.changes_offset)
      })),
      movements: movements.rows.map(row => ({
        movementID: row.movement_id,
        sequence: Number(row.sequence),
        sku: row.sku,
        kind: row.kind,
        delta: Number(row.delta),
        available: Number(row.available),
        reserved: Number(row.reserved),
        reason: row.reason,
        idempotencyKey: row.idempotency_key
      }))
    }
  })
}
