import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'

/** A copy of a schema's tables. */
export interface SchemaBackup {
  /** Restores all tables in one transaction, while other connections use the database. */
  restore(): Promise<void>
}

/**
 * Copies the tables of a schema into another schema of the same database, except the table of
 * migrations. Needs the owner of a test database.
 */
export async function backUpSchema(pool: Pool, schema: string): Promise<SchemaBackup> {
  const copy = `backup_${randomBytes(4).toString('hex')}`
  const { rows } = await pool.query<{ name: string; columns: string }>(
    `SELECT table_name AS name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = $1 AND table_type = 'BASE TABLE' AND table_name <> 'migrations' AND is_generated = 'NEVER'
    GROUP BY table_name ORDER BY table_name`,
    [schema]
  )
  await inOneTransaction(pool, [
    `CREATE SCHEMA ${copy}`,
    ...rows.map(({ name, columns }) => `CREATE TABLE ${copy}.${name} AS SELECT ${columns} FROM ${schema}.${name}`)
  ])
  return {
    restore: () =>
      inOneTransaction(pool, [
        "SET LOCAL session_replication_role = 'replica'", // disables foreign keys: tables can be restored in any order
        `TRUNCATE ${rows.map(({ name }) => `${schema}.${name}`).join(', ')}`,
        ...rows.map(
          ({ name, columns }) =>
            `INSERT INTO ${schema}.${name} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${copy}.${name}`
        )
      ])
  }
}

/**
 * Repeats the transaction after a deadlock with a service, which Postgres resolves by ending either
 * of the two.
 */
async function inOneTransaction(pool: Pool, statements: readonly string[]): Promise<void> {
  const client = await pool.connect()
  try {
    for (;;) {
      try {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
        for (const statement of statements) await client.query(statement)
        await client.query('COMMIT')
        return
      } catch (error) {
        await client.query('ROLLBACK')
        if ((error as { code?: string }).code !== deadlockDetected) throw error
      }
    }
  } finally {
    client.release()
  }
}

const deadlockDetected = '40P01'
