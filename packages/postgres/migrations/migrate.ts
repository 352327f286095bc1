import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@orderly/retry'
import pg, { type Pool, type PoolClient } from 'pg'
import { PostgresError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { applyGrants, type DatabaseSchema } from '../roles.ts'
import { type AppliedMigration, type MigrationFile, pendingMigrations, readMigrations } from './files.ts'
import { watchBackend } from './watch-backend.ts'

export interface MigrationOptions {
  readonly logger: Logger
  readonly signal?: AbortSignal
  /**
   * Time that a file waits for a lock per attempt. Meanwhile, all later statements on the table
   * wait as well.
   */
  readonly lockTimeoutMs?: number
  /** Time for which a file that did not get its locks is retried. */
  readonly lockPatienceMs?: number
}

/**
 * Migrates a schema to its newest file, then sets its privileges to the declared ones. Must run as
 * the role that owns, or will own, the schema.
 *
 * - Runs on the same schema are serialized by an advisory lock. They wait for it without an open
 *   transaction, because a concurrent index build waits for all older transactions.
 * - Each file is one transaction. It waits for a lock only briefly, then yields to the statements
 *   queued behind it and retries.
 * - A file whose first line is `-- no transaction` is one statement that Postgres refuses in a
 *   transaction, such as `CREATE INDEX CONCURRENTLY IF NOT EXISTS`. Invalid indexes of interrupted
 *   runs are dropped first.
 * - The log shows each file and, every few seconds, the progress of a long one and its blockers.
 */
export async function migrate(pool: Pool, schema: DatabaseSchema, options: MigrationOptions): Promise<void> {
  const files = schema.directory === undefined ? [] : await readMigrations(schema.directory)
  await onOwnConnection(pool, async client => {
    await takeTurn(client, schema.schema, options)
    await transaction(client, 0, () => prepare(client, schema))
    const applied = schema.directory === undefined ? [] : await readApplied(client, schema.schema)
    const { pending, unknown } = pendingMigrations(files, applied)
    const { logger } = options
    if (unknown.length > 0) {
      const migrations = unknown.map(({ name }) => name)
      logger.warn(
        { event: 'database_newer', schema: schema.schema, migrations },
        'database schema is newer than this program'
      )
    }
    for (const file of pending) await apply(pool, client, schema.schema, file, options)
    await transaction(client, 0, () => applyGrants(client, schema))
    const names = pending.map(({ name }) => name)
    logger.info({ schema: schema.schema, applied: names, files: files.length }, 'database migrated')
  })
}

/** Reads the applied migrations; none if the schema or its table `migrations` does not exist. */
export async function readApplied(on: Pool | PoolClient, schema: string): Promise<AppliedMigration[]> {
  const isThere = await on.query('SELECT to_regclass($1) IS NOT NULL AS found', [tableOf(schema)])
  if (isThere.rows[0]?.found !== true) return []
  const text = `SELECT number, name, checksum FROM ${tableOf(schema)} ORDER BY number`
  return (await on.query<AppliedMigration>(text)).rows
}

/**
 * Runs `work` on a connection without timeouts. The connection is closed afterwards, which releases
 * the advisory lock.
 */
async function onOwnConnection(pool: Pool, work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0')
    await work(client)
  } finally {
    client.release(true)
  }
}

async function takeTurn(client: PoolClient, schema: string, { logger, signal }: MigrationOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const text = 'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken'
    if ((await client.query(text, [`migrations of ${schema}`])).rows[0].taken) return
    if (attempt === 1) {
      const event = 'migration_waiting'
      logger.info({ event, schema }, 'waiting for another process that migrates this schema')
    }
    await delay(backoffMs(attempt, { initialMs: 50, maxMs: 1_000 }), undefined, signal ? { signal } : {})
  }
}

async function prepare(client: PoolClient, { schema, directory }: DatabaseSchema): Promise<void> {
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schema)}`)
  if (directory === undefined) return
  await client.query(`CREATE TABLE IF NOT EXISTS ${tableOf(schema)} (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`)
}

async function apply(
  pool: Pool,
  client: PoolClient,
  schema: string,
  file: MigrationFile,
  options: MigrationOptions
): Promise<void> {
  const { logger } = options
  const fields = { schema, migration: file.name }
  const startedAt = performance.now()
  logger.info(fields, 'migration started')
  const watch = await watchBackend(pool, client, { logger, fields })
  try {
    if (file.isTransactional) await applyInTransaction(client, schema, file, options, watch.blockers)
    else await applyAlone(client, schema, file, logger)
  } catch (cause) {
    if (cause instanceof PostgresError) throw cause
    throw new PostgresError('MIGRATION_FAILED', `${file.name} failed: ${(cause as Error).message}`, { cause })
  } finally {
    watch.stop()
  }
  logger.info({ ...fields, tookMs: Math.round(performance.now() - startedAt) }, 'migration finished')
}

async function applyInTransaction(
  client: PoolClient,
  schema: string,
  file: MigrationFile,
  { logger, signal, lockTimeoutMs = 3_000, lockPatienceMs = 600_000 }: MigrationOptions,
  blockers: () => string
): Promise<void> {
  const deadline = performance.now() + lockPatienceMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction(client, lockTimeoutMs, async () => {
        await query(client, file.sql)
        await record(client, schema, file)
      })
    } catch (error) {
      if ((error as { code?: unknown }).code !== '55P03') throw error
      const fields = { event: 'migration_waits', schema, migration: file.name, attempt, blockers: blockers() }
      if (performance.now() >= deadline) {
        throw new PostgresError(
          'MIGRATION_FAILED',
          `${file.name} did not get its locks within ${lockPatienceMs / 1_000} s: end the sessions that hold them (${fields.blockers}), then run the migration again`,
          { cause: error }
        )
      }
      logger.warn(fields, 'migration did not get a lock in time, retrying')
      await delay(
        backoffMs(attempt, { initialMs: lockTimeoutMs / 4, maxMs: 5 * lockTimeoutMs }),
        undefined,
        signal ? { signal } : {}
      )
    }
  }
}

async function applyAlone(client: PoolClient, schema: string, file: MigrationFile, logger: Logger): Promise<void> {
  const { rows } = await client.query(
    `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE relnamespace = $1::regnamespace AND NOT indisvalid`,
    [schema]
  )
  for (const { name } of rows) {
    logger.warn(
      { event: 'invalid_index_removed', schema, index: name },
      'dropping invalid index of an interrupted migration'
    )
    await query(client, `DROP INDEX CONCURRENTLY IF EXISTS ${name}`)
  }
  await query(client, file.sql)
  await record(client, schema, file)
}

async function record(client: PoolClient, schema: string, { number, name, checksum }: MigrationFile): Promise<void> {
  const text = `INSERT INTO ${tableOf(schema)} (number, name, checksum) VALUES ($1, $2, $3)`
  await client.query(text, [number, name, checksum])
}

async function transaction(client: PoolClient, lockTimeoutMs: number, work: () => Promise<void>): Promise<void> {
  await client.query(`BEGIN; SET LOCAL lock_timeout = ${lockTimeoutMs}`)
  try {
    await work()
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

function tableOf(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.migrations`
}

/** Maximum delay of a Node timer, about 24 days. */
const unlimitedMs = 2 ** 31 - 1

// The pool's timeout is for small statements; pg reads `query_timeout` from the query to override
// it.
function query(client: PoolClient, text: string): Promise<unknown> {
  return client.query({ text, query_timeout: unlimitedMs } as pg.QueryConfig)
}
