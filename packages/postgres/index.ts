export {
  isPostgresConflict,
  isPostgresDataError,
  isPostgresServerError,
  isTransientFailure,
  isTransientPostgresError,
  isUniqueViolation,
  PostgresError
} from './errors.ts'
export { type DatabaseFinding, inspectDatabase } from './inspect.ts'
export type { Logger } from './logger.ts'
export { type MigrationOptions, migrate } from './migrations/migrate.ts'
export { requireSchema } from './migrations/require-schema.ts'
export { openDatabase } from './open-database.ts'
export { checkDatabase, createPool, type PoolSettings } from './pool.ts'
export { type RetryOptions, retryTransient } from './retry.ts'
export {
  type DatabaseRole,
  type DatabaseSchema,
  databaseRoles,
  type Grants,
  ownerRole,
  type RuntimeRole
} from './roles.ts'
export { columnsOf, orUnavailable, runStatement, type Statement, StoreUnavailableError } from './statement.ts'
export {
  type Decision,
  inTransaction,
  type Reads,
  type RowsOf,
  readDecideWrite,
  retryConflicts
} from './transaction.ts'
