import type { PositionChange } from '@orderly/kafka'
import { type PostgresPositions, readDecideWriteWith } from '@orderly/positions'
import {
  inTransaction,
  orUnavailable,
  readDecideWrite,
  retryConflicts,
  runStatement,
  type Statement
} from '@orderly/postgres'
import type { Pool } from 'pg'
import { countOrders } from '../domain/count-orders.ts'
import { firstKeptWindow, lastFinalWindow, type WindowPolicy, windowStartOf } from '../domain/window.ts'
import type { RateStore } from './rate-store.ts'
import * as statements from './statements.ts'

/**
 * Creates a store of windows and counted offsets in the schema `aggregator`. A batch is one
 * transaction with two round trips, so counts and counted offsets are stored together. Partition
 * ownership is not checked: records that any instance has already counted add nothing.
 */
export function createPostgresStore(
  pool: Pool,
  policy: WindowPolicy,
  positions?: Pick<PostgresPositions, 'saving'>
): RateStore {
  return {
    count(orders, advances = []) {
      const topicIDs = new Map(orders.map(({ partition, topicID }) => [partition, topicID]))
      const partitions = [...new Set(orders.map(({ partition }) => partition))]
      const starts = [...new Set(orders.map(({ createdAtMs }) => windowStartOf(createdAtMs)))]
      const reads = [
        statements.addMissingPartitions(partitions),
        statements.lockPartitions(partitions),
        statements.findFinalWindows(starts)
      ] as const
      return retryConflicts(() =>
        readDecideWriteWith(pool, { positions, advances }, reads, ([, partitionRows, finalRows]) => {
          const ofTopic = partitionRows.filter(row => row.topicID === (topicIDs.get(row.partition) ?? null))
          const counted = {
            offsets: new Map(ofTopic.map(({ partition, next, gaps }) => [partition, { next, gaps }])),
            finalWindows: new Set(finalRows.map(({ startMs }) => startMs)),
            firstKeptWindowMs: Math.max(0, ...partitionRows.map(row => row.firstKeptWindowMs))
          }
          const count = countOrders(orders, counted, policy)
          const writes = [
            statements.addToWindows(count.windows),
            statements.updatePartitions(count.partitions, topicIDs)
          ]
          return { writes: count.partitions.size === 0 ? [] : writes, result: count.summary }
        })
      )
    },

    async noteComplete(partitionCount, partitions) {
      const all = Array.from({ length: partitionCount }, (_, partition) => partition)
      const own = partitions.map(({ partition }) => partition)
      const reads = [statements.addMissingPartitions(all), statements.lockPartitions(own)]
      const writes = [statements.noteComplete(partitions)]
      await retryConflicts(() => readDecideWrite(pool, reads, () => ({ writes, result: undefined })))
    },

    async makeFinal() {
      const completeUntilMs = await readCompleteUntil(pool)
      if (completeUntilMs === undefined) return undefined
      const lastFinalMs = lastFinalWindow(completeUntilMs, policy)
      const firstKeptMs = firstKeptWindow(completeUntilMs, policy)
      const { rows } = await runStatement(pool, statements.hasSomethingToMakeFinal(lastFinalMs, firstKeptMs))
      if (rows[0]?.found === true) await retryConflicts(() => makeWindowsFinal(pool, lastFinalMs, firstKeptMs))
      return completeUntilMs
    },

    async unpublished(limit) {
      return (await runStatement(pool, statements.findUnpublished(limit))).rows
    },

    async markPublished(windows) {
      await runStatement(pool, statements.markPublished(windows))
    },

    async rates(fromMs, toMs) {
      const [completeUntilMs, windows] = await orUnavailable(
        Promise.all([readCompleteUntil(pool), runStatement(pool, statements.findWindows(fromMs, toMs))])
      )
      return { completeUntilMs, windows: windows.rows }
    }
  }
}

/**
 * Returns statements for `createPostgresPositions` that remove counted offsets from the point of a
 * log divergence on.
 */
export function forgetTruncated(changes: readonly PositionChange[]): readonly Statement[] {
  const truncated = changes.flatMap(({ former, position: { partition, topicID, offset } }) =>
    former?.topicID === topicID && offset < former.offset ? [{ partition, topicID, offset: Number(offset) }] : []
  )
  return truncated.length === 0 ? [] : [statements.forgetCountedFrom(truncated)]
}

/**
 * Returns the time until which all partitions are complete. It never decreases, so no lock is
 * needed.
 */
async function readCompleteUntil(pool: Pool): Promise<number | undefined> {
  const [row] = (await runStatement(pool, statements.completeUntil)).rows
  return row?.completeUntilMs ?? undefined
}

function makeWindowsFinal(pool: Pool, lastFinalMs: number, firstKeptMs: number): Promise<void> {
  return inTransaction(pool, async client => {
    for (const statement of [
      statements.lockAllPartitions,
      statements.makeFinal(lastFinalMs),
      statements.keepFrom(firstKeptMs),
      statements.forgetPublished(firstKeptMs)
    ]) {
      await runStatement(client, statement)
    }
  })
}
