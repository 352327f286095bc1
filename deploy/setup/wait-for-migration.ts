/**
 * Waits in an init container until the database has the migrations that a service requires:
 * `wait-for-migration.ts SERVICE`. The job `migrate` runs them at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createPool, PostgresError, requireSchema } from '@orderly/postgres'
import { createLogger, databaseSettings, parseConfig, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'
import { databaseSchemas } from '../postgres/schemas.ts'

// The job creates roles and schemas, so a refused login or a missing table may pass.
const isPermanent = (error: unknown) =>
  error instanceof PostgresError && ['ADDRESS_INVALID', 'MIGRATIONS_INVALID', 'MIGRATION_CHANGED'].includes(error.code)

const role = `orderly_${process.argv[2]}`
const logger = createLogger({ service: 'wait-for-migration', instance: '1', level: 'info', isPretty: false })
const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

try {
  const { ORDERLY_PROFILE } = serviceSettings
  const { DATABASE_URL: url } = parseConfig(
    Type.Object({ ORDERLY_PROFILE, DATABASE_URL: databaseSettings(role).DATABASE_URL }),
    process.env
  )
  const pool = createPool({ url, maxConnections: 1, applicationName: role, statementTimeoutMs: 10_000 })
  const required = databaseSchemas.filter(({ grants }) => role in (grants ?? {}))
  const isMigrated = async () => {
    try {
      for (const schema of required) await requireSchema(pool, schema, { mayMigrate: false, logger })
      return true
    } catch (error) {
      if (isPermanent(error)) throw error
      logger.warn({ event: 'migration_pending', error }, 'the database is not migrated yet, or cannot be reached')
      return false
    }
  }
  try {
    while (!(await isMigrated())) await delay(2_000, undefined, { signal: stopping.signal })
  } finally {
    await pool.end()
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = (error as { exitCode?: number }).exitCode ?? 1
}
