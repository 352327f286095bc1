import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from './errors.ts'

/** The database cannot do it now, whether it is away, overloaded or set up wrongly: no request is to blame. */
export class StoreUnavailableError extends Error {
  readonly code = 'DATABASE_UNAVAILABLE'
  readonly retryable = true

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreUnavailableError'
  }
}

/** Tells the database's own failures from those for which a value is to blame. */
export async function orUnavailable<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    const isOurs = isTransientPostgresError(error) || (isPostgresServerError(error) && !isPostgresDataError(error))
    if (!isOurs) throw error
    throw new StoreUnavailableError('the database cannot answer at the moment', { cause: error })
  }
}
