import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/** The schema `orders` with its grants. A new table gets its grants here. */
export const orderSchema: DatabaseSchema = {
  schema: 'orders',
  directory: fileURLToPath(new URL('migrations', import.meta.url)),
  grants: {
    orderly_order: {
      orders: 'SELECT, INSERT, UPDATE',
      idempotency_keys: 'SELECT, INSERT, UPDATE, DELETE',
      reserved_batches: 'SELECT, INSERT, UPDATE, DELETE',
      topics: 'SELECT, INSERT',
      positions: 'SELECT, INSERT, UPDATE',
      incidents: 'SELECT, INSERT'
    },
    orderly_operator: {
      orders: 'SELECT',
      idempotency_keys: 'SELECT',
      reserved_batches: 'SELECT',
      positions: 'SELECT',
      incidents: 'SELECT, UPDATE'
    }
  }
}

/**
 * Session settings for `createPool`. A plan that was prepared on empty tables must neither read nor
 * sort whole tables after they have grown.
 */
export const orderSessionSettings = { enable_seqscan: 'off', enable_bitmapscan: 'off' }
