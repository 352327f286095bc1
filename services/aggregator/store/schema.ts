import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/** The schema `aggregator`, with who may do what in it. A new table gets its grants here. */
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

/** Settings for `createPool`. A prepared statement keeps its first plan; on an empty table that would be to read all of it. */
export const aggregatorSessionSettings = { enable_seqscan: 'off' }
