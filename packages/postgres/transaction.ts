import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import { isSessionError, PostgresError } from './errors.ts'
import { runStatement, type Statement } from './statement.ts'

// Said explicitly: a server's default may differ, and reading again after waiting for a lock relies on it.
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'

/** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
export function inTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  return withClient(pool, async client => {
    await client.query(begin)
    const result = await work(client)
    assertCommitted(await client.query('COMMIT'))
    return result
  })
}

/**
 * A transaction in two round trips: BEGIN and the reads, then the writes and COMMIT. `decide` is synchronous, so locks
 * that the reads took are held no longer than it computes and the writes run.
 *
 * The statements of one trip are sent before the first is answered. One that fails makes the server refuse the rest and
 * turns the COMMIT behind them into a rollback. The writes are sent only once BEGIN was seen to succeed.
 */
export function readDecideWrite<Result>(
  pool: Pool,
  reads: readonly Statement[],
  decide: (rows: QueryResultRow[][]) => { readonly writes: readonly Statement[]; readonly result: Result }
): Promise<Result> {
  return withClient(pool, async client => {
    const [, ...answers] = await Promise.all([client.query(begin), ...sendAll(client, reads)])
    const { writes, result } = decide(answers.map(answer => answer.rows))
    const written = await Promise.all([...sendAll(client, writes), client.query('COMMIT')])
    assertCommitted(written.at(-1))
    return result
  })
}

function sendAll(client: PoolClient, statements: readonly Statement[]): Promise<QueryResult>[] {
  return statements.map(statement => runStatement(client, statement))
}

function assertCommitted(result: QueryResult | undefined): void {
  if (result?.command === 'COMMIT') return
  throw new PostgresError(
    'TRANSACTION_ROLLED_BACK',
    'COMMIT rolled back: a statement failed and its error was swallowed'
  )
}

async function withClient<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  let isLost = false
  try {
    return await work(client)
  } catch (error) {
    isLost = isSessionError(error)
    // The first error is the one to report. The server rolls back the transaction of a closed connection.
    if (!isLost) await client.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    client.release(isLost || client.getTransactionStatus() !== 'I')
  }
}
