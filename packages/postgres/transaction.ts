import type { Pool, PoolClient, QueryResult } from 'pg'
import { isPostgresConflict, isSessionError, PostgresError } from './errors.ts'
import { retryTransient } from './retry.ts'
import { runStatement, type Statement } from './statement.ts'

// Set explicitly, because the server's default may differ, and reads after waiting for a lock rely
// on it.
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'

/**
 * Runs `work` in one transaction, which is committed when `work` resolves and rolled back when it
 * rejects.
 */
export function inTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  return withClient(pool, async client => {
    await client.query(begin)
    const result = await work(client)
    assertCommitted(await client.query('COMMIT'))
    return result
  })
}

/** Writes and result of a transaction. */
export interface Decision<Result> {
  readonly writes: readonly Statement[]
  readonly result: Result
}

/** The reads of a transaction; undefined for one that is not needed. */
export type Reads = readonly (Statement | undefined)[]

/** The rows of each read; none for one that was not needed. */
export type RowsOf<Statements extends Reads> = {
  -readonly [Index in keyof Statements]: Statements[Index] extends Statement<infer Row> | undefined ? Row[] : never
}

/**
 * Runs a transaction in two round trips: BEGIN and the reads, then the writes and COMMIT. `decide`
 * is synchronous, so row locks are held only while it computes and the writes run.
 *
 * The statements of one round trip are pipelined. If one fails, the server refuses the rest and
 * turns COMMIT into a rollback. The writes are sent only after BEGIN has succeeded.
 */
export function readDecideWrite<const Statements extends Reads, Result>(
  pool: Pool,
  reads: Statements,
  decide: (rows: RowsOf<Statements>) => Decision<Result>
): Promise<Result> {
  return withClient(pool, async client => {
    const [, ...answers] = await Promise.all([client.query(begin), ...sendAll(client, reads)])
    const { writes, result } = decide(answers.map(answer => answer?.rows ?? []) as RowsOf<Statements>)
    const written = await Promise.all([...sendAll(client, writes), client.query('COMMIT')])
    assertCommitted(written.at(-1))
    return result
  })
}

/**
 * Retries a transaction that failed because of a concurrent transaction. The retry sees the result
 * of that transaction.
 * @param hasLostRace returns true for other errors after which a retry sees the concurrent result,
 * such as a unique violation
 */
export function retryConflicts<Result>(
  transaction: () => Promise<Result>,
  hasLostRace: (error: unknown) => boolean = () => false
): Promise<Result> {
  const isTransient = (error: unknown) => isPostgresConflict(error) || hasLostRace(error)
  return retryTransient(transaction, { isTransient, attempts: 10, firstDelayMs: 2, maxDelayMs: 200 })
}

function sendAll(client: PoolClient, statements: Reads): (Promise<QueryResult> | undefined)[] {
  return statements.map(statement => statement && runStatement(client, statement))
}

function assertCommitted(result: QueryResult | undefined): void {
  if (result?.command === 'COMMIT') return
  throw new PostgresError(
    'TRANSACTION_ROLLED_BACK',
    'COMMIT rolled back because a statement failed and its error was swallowed: let the error propagate'
  )
}

async function withClient<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  let isLost = false
  try {
    return await work(client)
  } catch (error) {
    isLost = isSessionError(error)
    // An error of ROLLBACK must not replace the first error. The server rolls back when the
    // connection closes.
    if (!isLost) await client.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    client.release(isLost || client.getTransactionStatus() !== 'I')
  }
}
