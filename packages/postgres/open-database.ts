import type { Pool } from 'pg'
import type { Logger } from './logger.ts'
import { requireSchema } from './migrations/require-schema.ts'
import { createPool, createWriteCheck, type PoolSettings } from './pool.ts'
import { retryTransient } from './retry.ts'
import type { DatabaseSchema } from './roles.ts'

/** The type of the same name in the service kit. */
type ReadinessGate = 'always' | 'start' | 'never'

/** The part of a service's context that is needed to open its database. */
export interface DatabaseContext {
  readonly config: {
    readonly ORDERLY_PROFILE: 'dev' | 'prod'
    readonly DATABASE_URL: string
    readonly DATABASE_MAX_CONNECTIONS: number
  }
  readonly logger: Logger
  readonly signal: AbortSignal
  onStop(name: string, release: () => unknown): void
  ready(name: string, check: () => Promise<boolean>, gate?: ReadinessGate): void
}

export interface OpenDatabaseOptions
  extends Pick<PoolSettings, 'applicationName' | 'statementTimeoutMs' | 'sessionSettings'> {
  /** The schemas that the service uses. */
  readonly schemas: readonly DatabaseSchema[]
  /** The default is `always`. */
  readonly readinessGate?: ReadinessGate
}

/**
 * Opens the database of a service that cannot start without it. Retries for a short time, then
 * checks that the schemas are as new as the service requires. In the dev profile, outdated schemas
 * are migrated if the role may do so.
 *
 * @throws PostgresError with the code `SCHEMA_OUTDATED`
 */
export async function openDatabase(context: DatabaseContext, options: OpenDatabaseOptions): Promise<Pool> {
  const { config, logger, signal, onStop, ready } = context
  const { schemas, readinessGate, ...settings } = options
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: config.DATABASE_MAX_CONNECTIONS,
    ...settings,
    onIdleError: error => logger.warn({ event: 'database_connection_lost', error }, 'idle database connection lost')
  })
  onStop('database', () => pool.end())
  ready('database', createWriteCheck(pool), readinessGate)
  const mayMigrate = config.ORDERLY_PROFILE === 'dev'
  for (const schema of schemas) {
    await retryTransient(() => requireSchema(pool, schema, { mayMigrate, logger, signal }), {
      signal,
      attempts: 10,
      firstDelayMs: 250,
      onRetry: (error, _attempt, delayMs) =>
        logger.warn({ event: 'database_unavailable', error, delayMs }, 'database unavailable, retrying')
    })
  }
  return pool
}
