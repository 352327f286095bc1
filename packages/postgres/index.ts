export {
  isPostgresConflict,
  isPostgresDataError,
  isPostgresServerError,
  isTransientPostgresError,
  isUniqueViolation,
  PostgresError
} from './errors.ts'
export type { Logger } from './logger.ts'
export { type MigrationOptions, migrate } from './migrations/migrate.ts'
export { checkDatabase, createPool, type PoolSettings } from './pool.ts'
export { type RetryOptions, retryTransient } from './retry.ts'
export { runStatement, type Statement } from './statement.ts'
export { inTransaction, readDecideWrite } from './transaction.ts'
export { orUnavailable, StoreUnavailableError } from './unavailable.ts'
