import type { Pool } from 'pg'
import { isPermissionDenied, PostgresError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { DatabaseSchema } from '../roles.ts'
import { pendingMigrations, readMigrations } from './files.ts'
import { migrate, readApplied } from './migrate.ts'

export interface RequireOptions {
  /** True if an outdated schema may be migrated, as in the dev profile. */
  readonly mayMigrate: boolean
  readonly logger: Logger
  readonly signal?: AbortSignal
}

/**
 * Checks that a schema is as new as the program requires. A newer schema is accepted, because
 * during a rollout an older version of the program runs next to a newer one.
 *
 * @throws PostgresError with the code `SCHEMA_OUTDATED`
 */
export async function requireSchema(pool: Pool, schema: DatabaseSchema, options: RequireOptions): Promise<void> {
  const { schema: name, directory } = schema
  if (directory === undefined) return
  const { logger, mayMigrate } = options
  try {
    const { pending, unknown } = pendingMigrations(await readMigrations(directory), await readApplied(pool, name))
    if (unknown.length > 0) {
      const migrations = unknown.map(migration => migration.name)
      logger.warn({ event: 'database_newer', schema: name, migrations }, 'database schema is newer than this program')
    }
    if (pending.length === 0) return
    if (!mayMigrate) throw outdated(name, `${pending[0]?.name} has not run`)
    await migrate(pool, schema, options)
  } catch (error) {
    if (!isPermissionDenied(error)) throw error
    throw outdated(name, `this database role may not use or migrate it: ${(error as Error).message}`, error)
  }
}

function outdated(schema: string, why: string, cause?: unknown): PostgresError {
  return new PostgresError(
    'SCHEMA_OUTDATED',
    `the schema ${schema} of the database is older than this program requires (${why}): run \`orderly migrate\` with the owner's DATABASE_OWNER_URL`,
    { cause }
  )
}
