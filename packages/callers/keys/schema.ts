import { fileURLToPath } from 'node:url'
import type { DatabaseSchema } from '@orderly/postgres'

/**
 * The schema `callers`, which the services share and only read. The command `api-keys` writes it as
 * `orderly_operator`.
 */
export const callersSchema: DatabaseSchema = {
  schema: 'callers',
  directory: fileURLToPath(new URL('../migrations', import.meta.url)),
  grants: {
    orderly_order: { callers: 'SELECT', api_keys: 'SELECT' },
    orderly_inventory: { callers: 'SELECT', api_keys: 'SELECT' },
    orderly_aggregator: { callers: 'SELECT', api_keys: 'SELECT' },
    orderly_operator: { callers: 'SELECT, INSERT, UPDATE', api_keys: 'SELECT, INSERT, UPDATE' }
  }
}
