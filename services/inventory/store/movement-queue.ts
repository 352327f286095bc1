import type { StockMoved } from '@orderly/contracts'
import { inTransaction, runStatement } from '@orderly/postgres'
import type { Pool } from 'pg'
import * as statements from './keeping-statements.ts'

/** The stock movements that are not in their topic yet. */
export interface MovementQueue {
  /**
   * Hands the oldest movements to `publish` and marks them when it resolves. When it rejects, or the process dies in between,
   * the same movements are handed out again. Of several callers one works at a time.
   * @returns how many were published; undefined when another caller is working
   */
  publishNext(limit: number, publish: (movements: readonly StockMoved[]) => Promise<void>): Promise<number | undefined>
  count(): Promise<number>
}

/**
 * The table of movements is the queue, so a movement that committed is never lost and one that did not is never published.
 *
 * The transaction stays open while `publish` runs: the lock and the marks belong together. `publish` must therefore end sooner
 * than the database ends idle transactions; otherwise its movements are published again.
 */
export function createMovementQueue(pool: Pool): MovementQueue {
  return {
    publishNext: (limit, publish) =>
      inTransaction(pool, async client => {
        const { rows: locks } = await runStatement(client, statements.lockPublishing)
        if (locks[0]?.locked !== true) return undefined
        const { rows } = await runStatement<StockMoved>(client, statements.unpublishedMovements(limit))
        if (rows.length === 0) return 0
        await publish(rows)
        await runStatement(client, statements.markPublished(rows.map(({ movementID }) => movementID)))
        return rows.length
      }),
    async count() {
      return (await runStatement(pool, statements.countUnpublished)).rows[0]?.count
    }
  }
}
