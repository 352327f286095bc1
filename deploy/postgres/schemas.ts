import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { callersSchema } from '@orderly/callers'
import { createPool, type DatabaseSchema, type MigrationOptions, migrate } from '@orderly/postgres'
import pg from 'pg'
import { aggregatorSchema } from '../../services/aggregator/store/schema.ts'
import { inventorySchema } from '../../services/inventory/store/schema.ts'
import { deliverySchema } from '../../services/notification/store/schema.ts'
import { orderSchema } from '../../services/order/store/schema.ts'

/** Schema of the audit tables, which the sink of Kafka Connect creates and changes. */
const auditSchema: DatabaseSchema = {
  schema: 'audit',
  grants: { orderly_connect: { schema: 'CREATE' }, orderly_operator: {} }
}

/** Every schema of the database, in the order in which `orderly migrate` migrates them. */
export const databaseSchemas: readonly DatabaseSchema[] = [
  callersSchema,
  orderSchema,
  inventorySchema,
  deliverySchema,
  aggregatorSchema,
  auditSchema
]

/**
 * Migrates every schema and grants the declared privileges, as the owner of the schemas (`orderly
 * migrate`). Concurrent calls are safe.
 */
export async function migrateAll(ownerURL: string, options: MigrationOptions): Promise<void> {
  const pool = createPool({
    url: ownerURL,
    maxConnections: 2,
    applicationName: 'orderly-migrate',
    statementTimeoutMs: 60_000
  })
  try {
    for (const schema of databaseSchemas) await migrate(pool, schema, options)
  } finally {
    await pool.end()
  }
}

/**
 * Runs `roles.sql` in a database and sets the passwords of the roles, which apply to all databases
 * of the server.
 *
 * @param url address of the database, for a superuser
 */
export async function setUpRoles(url: string, passwords: ReadonlyMap<string, string> = new Map()): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(await readFile(new URL('roles.sql', import.meta.url), 'utf8'))
    for (const [role, password] of passwords) {
      const verifier = pg.escapeLiteral(scramVerifier(password))
      await client.query(`ALTER ROLE ${pg.escapeIdentifier(role)} PASSWORD ${verifier}`)
    }
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Computes the verifier that Postgres stores for a password (RFC 5803). The server, which may log
 * statements, never receives the password.
 */
function scramVerifier(password: string): string {
  const [iterations, salt] = [4096, randomBytes(16)]
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest()
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${keyOf('Server Key').toString('base64')}`
}
