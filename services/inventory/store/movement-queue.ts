import type { StockMoved } from '@orderly/contracts'
import { inTransaction, runStatement } from '@orderly/postgres'
import type { Pool } from 'pg'
import * as statements from './stock-admin-statements.ts'

/** Queue of the stock movements that are not yet published to their topic. */
export interface MovementQueue {
  /**
   * Passes the oldest movements to `publish` and marks them as published when it resolves. If it
   * rejects or the process dies, a later call passes the same movements again. Only one caller of
   * all instances works at a time.
   * @returns the number of published movements; undefined if another caller is working
   */
  publishNext(limit: number, publish: (movements: readonly StockMoved[]) => Promise<void>): Promise<number | undefined>
  count(): Promise<number>
}

/**
 * Creates a queue over the table of movements: a committed movement is never lost, and an
 * uncommitted one is never published.
 *
 * The transaction stays open while `publish` runs, because it holds the lock until the movements
 * are marked. `publish` must end before the idle-transaction timeout of the database; otherwise its
 * movements are published again.
 */
export function createMovementQueue(pool: Pool): MovementQueue {
  return {
    publishNext: (limit, publish) =>
      inTransaction(pool, async client => {
        const { rows: locks } = await runStatement(client, statements.lockPublishing)
        if (locks[0]?.locked !== true) return undefined
        const { rows } = await runStatement(client, statements.unpublishedMovements(limit))
        if (rows.length === 0) return 0
        await publish(rows)
        await runStatement(client, statements.markPublished(rows.map(({ movementID }) => movementID)))
        return rows.length
      }),
    async count() {
      return (await runStatement(pool, statements.countUnpublished)).rows[0]?.count ?? 0
    }
  }
}
