import pg, { type Pool, type PoolClient } from 'pg'
import { PostgresError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { inTransaction } from '../transaction.ts'
import { type AppliedMigration, type MigrationFile, pendingMigrations, readMigrations } from './files.ts'

export interface MigrationOptions {
  /** Created when missing; also holds the table `migrations`, the record of what ran. */
  readonly schema: string
  /** Holds plain SQL files, 0001_what-it-does.sql and on, which name the schema in front of everything. */
  readonly directory: string
  readonly logger: Logger
}

/**
 * Brings the schema up to the newest file: all pending files in one transaction, all or none. Instances that start
 * together wait for one another. A file cannot hold what Postgres refuses in a transaction, such as
 * CREATE INDEX CONCURRENTLY.
 */
export async function migrate(pool: Pool, { schema, directory, logger }: MigrationOptions): Promise<void> {
  const files = await readMigrations(directory)
  await inTransaction(pool, async client => {
    await client.query('SET LOCAL statement_timeout = 0')
    await query(client, 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`migrations of ${schema}`])
    const { pending, unknown } = pendingMigrations(files, await readApplied(client, schema))
    if (unknown.length > 0) {
      logger.warn({ schema, migrations: unknown.map(({ name }) => name) }, 'the database is newer than this program')
    }
    for (const file of pending) await apply(client, schema, file)
    logger.info({ schema, applied: pending.map(({ name }) => name), files: files.length }, 'database migrated')
  })
}

async function readApplied(client: PoolClient, schema: string): Promise<AppliedMigration[]> {
  const table = tableOf(schema)
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schema)}`)
  await client.query(`CREATE TABLE IF NOT EXISTS ${table} (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`)
  return (await client.query<AppliedMigration>(`SELECT number, name, checksum FROM ${table} ORDER BY number`)).rows
}

async function apply(client: PoolClient, schema: string, file: MigrationFile): Promise<void> {
  await query(client, file.sql).catch(cause => {
    throw new PostgresError('MIGRATION_FAILED', `${file.name} failed: ${cause.message}`, { cause })
  })
  await client.query(`INSERT INTO ${tableOf(schema)} (number, name, checksum) VALUES ($1, $2, $3)`, [
    file.number,
    file.name,
    file.checksum
  ])
}

function tableOf(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.migrations`
}

const migrationTimeoutMs = 10 * 60_000

// The pool's time-out is meant for the service's small statements; pg reads a longer one from the query itself.
function query(client: PoolClient, text: string, values?: unknown[]): Promise<unknown> {
  return client.query(Object.assign({ text, query_timeout: migrationTimeoutMs }, values && { values }))
}
