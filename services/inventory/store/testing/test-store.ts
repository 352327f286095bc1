import type { Pool } from 'pg'
import { createPostgresStore, type StoreOptions } from '../postgres.ts'
import { createPostgresStockAdmin } from '../postgres-stock-admin.ts'
import { levelColumns } from '../rows.ts'
import type { StockLevel, StockStore } from '../stock-store.ts'

/** A stock store with the operations that tests need besides. */
export interface TestStore extends StockStore {
  /** Sets the available pieces of new and existing SKUs. Reserved pieces stay reserved. */
  setAvailable(pieces: ReadonlyMap<string, number>): Promise<void>
  /** Returns the levels of all SKUs, or of the given ones that exist, sorted by SKU. */
  levels(skus?: readonly string[]): Promise<readonly StockLevel[]>
}

export function createPostgresTestStore(pool: Pool, options?: StoreOptions): TestStore {
  const stockAdmin = createPostgresStockAdmin(pool)
  return {
    ...createPostgresStore(pool, options),
    async setAvailable(pieces) {
      const counts = new Map([...pieces].map(([sku, available]) => [sku, { available }]))
      await stockAdmin.set(counts, { by: 'inventory' })
    },
    async levels(skus) {
      const text = `SELECT ${levelColumns} FROM inventory.stock WHERE $1::text[] IS NULL OR sku = ANY($1) ORDER BY sku`
      return (await pool.query<StockLevel>(text, [skus ?? null])).rows
    }
  }
}
