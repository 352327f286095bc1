import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/** The schema `aggregator` with the grants of each role. Add the grants of a new table here. */
export const aggregatorSchema: DatabaseSchema = {
  schema: 'aggregator',
  directory: fileURLToPath(new URL('migrations', import.meta.url)),
  grants: {
    orderly_aggregator: {
      windows: 'SELECT, INSERT, UPDATE, DELETE',
      partitions: 'SELECT, INSERT, UPDATE',
      positions: 'SELECT, INSERT, UPDATE',
      incidents: 'SELECT, INSERT'
    },
    orderly_operator: { positions: 'SELECT', incidents: 'SELECT, UPDATE' }
  }
}

/**
 * Session settings for `createPool`. A prepared statement keeps its first plan, which on an empty
 * table would be a sequential scan.
 */
export const aggregatorSessionSettings = { enable_seqscan: 'off' }
