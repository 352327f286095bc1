import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/** The schema `notification`, with who may do what in it. A new table gets its grants here. */
export const ledgerSchema: DatabaseSchema = {
  schema: 'notification',
  directory: fileURLToPath(new URL('migrations', import.meta.url)),
  grants: {
    orderly_notification: {
      deliveries: 'SELECT, INSERT, UPDATE, DELETE',
      lanes: 'SELECT, INSERT, UPDATE, DELETE',
      targets: 'SELECT, INSERT, UPDATE',
      endpoints: 'SELECT',
      endpoint_secrets: 'SELECT',
      positions: 'SELECT, INSERT, UPDATE',
      incidents: 'SELECT, INSERT'
    },
    // Operators manage webhook endpoints, acknowledge incidents, and make deliveries due again by replays of dead letters.
    orderly_operator: {
      deliveries: 'SELECT, UPDATE',
      lanes: 'SELECT, INSERT, UPDATE, DELETE',
      targets: 'SELECT',
      endpoints: 'SELECT, INSERT, UPDATE, DELETE',
      endpoint_secrets: 'SELECT, INSERT, DELETE',
      positions: 'SELECT',
      incidents: 'SELECT, UPDATE'
    }
  }
}

/**
 * Settings for `createPool`. Every statement of the ledger looks up a few rows by their keys, in tables that are nearly empty at
 * one time and hold tens of thousands of rows a minute later, before anything is analyzed. So nothing is read from end to end,
 * collected in a bitmap to be sorted, or joined as a whole. Every execution is planned for the tables as they are then, because
 * a plan from a quiet time is a bad one in the next rush.
 */
export const ledgerSessionSettings = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_bitmapscan: 'off',
  plan_cache_mode: 'force_custom_plan'
}
