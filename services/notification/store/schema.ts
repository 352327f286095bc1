import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/**
 * The schema `notification` with the privileges of each role. A new table needs its grants here.
 */
export const deliverySchema: DatabaseSchema = {
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
    // Operators manage webhook endpoints, acknowledge incidents, and make deliveries due again by
    // replaying dead letters.
    orderly_operator: {
      deliveries: 'SELECT, UPDATE',
      lanes: 'SELECT, INSERT, UPDATE, DELETE',
      targets: 'SELECT, DELETE',
      endpoints: 'SELECT, INSERT, UPDATE, DELETE',
      endpoint_secrets: 'SELECT, INSERT, DELETE',
      positions: 'SELECT',
      incidents: 'SELECT, UPDATE'
    }
  }
}

/**
 * Session settings for `createPool`. Every statement looks up a few rows by key. The tables are
 * almost empty at one time and hold tens of thousands of rows a minute later, before an ANALYZE
 * runs. So sequential scans, bitmap scans, and hash and merge joins are disabled. Every execution
 * is planned for the current tables, because a plan made for empty tables is slow for full ones.
 */
export const deliverySessionSettings = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_bitmapscan: 'off',
  plan_cache_mode: 'force_custom_plan'
}
