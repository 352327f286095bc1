import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from './errors.ts'

/** An error that no request caused: the database is unavailable, overloaded or misconfigured. */
export class StoreUnavailableError extends Error {
  readonly code = 'DATABASE_UNAVAILABLE'
  readonly retryable = true

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreUnavailableError'
  }
}

/**
 * Converts failures of the database to StoreUnavailableError; errors caused by values are rethrown.
 */
export async function orUnavailable<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    const isOurs = isTransientPostgresError(error) || (isPostgresServerError(error) && !isPostgresDataError(error))
    if (!isOurs) throw error
    throw new StoreUnavailableError('database unavailable', { cause: error })
  }
}
