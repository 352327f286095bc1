import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/** The schema `inventory` with the grants of each role. Add the grants of a new table here. */
export const inventorySchema: DatabaseSchema = {
  schema: 'inventory',
  directory: fileURLToPath(new URL('migrations', import.meta.url)),
  grants: {
    orderly_inventory: {
      stock: 'SELECT, INSERT, UPDATE',
      outcomes: 'SELECT, INSERT',
      'sequence decisions': 'USAGE',
      reservation_lines: 'SELECT, INSERT, DELETE',
      stock_movements: 'SELECT, INSERT, UPDATE',
      settlements: 'SELECT, INSERT',
      holds: 'SELECT, INSERT, UPDATE, DELETE',
      positions: 'SELECT, INSERT, UPDATE',
      incidents: 'SELECT, INSERT'
    },
    orderly_operator: {
      stock: 'SELECT',
      outcomes: 'SELECT',
      reservation_lines: 'SELECT',
      stock_movements: 'SELECT',
      settlements: 'SELECT',
      holds: 'SELECT',
      positions: 'SELECT',
      incidents: 'SELECT, UPDATE'
    }
  }
}

/**
 * Session settings for `createPool`. A prepared statement keeps its first plan. A plan that was
 * made on empty tables would use sequential scans, and batches would slow down until the tables are
 * analyzed.
 */
export const inventorySessionSettings = { enable_seqscan: 'off' }
