import type { Statement } from '@orderly/postgres'
import type { Count } from '../domain/count-orders.ts'
import type { Window } from '../domain/window.ts'
import type { PartitionComplete } from './rate-store.ts'
import { type PartitionRow, partitionColumns, windowColumns } from './rows.ts'

/** The SQL of the store. Every statement locks rows in the same order, which prevents deadlocks. */

export function addMissingPartitions(partitions: readonly number[]): Statement {
  return {
    name: 'add-missing-partitions',
    text: `INSERT INTO aggregator.partitions (partition, first_kept_window_ms)
      SELECT partition, (SELECT coalesce(max(first_kept_window_ms), 0) FROM aggregator.partitions)
      FROM unnest($1::integer[]) AS given (partition) ORDER BY partition
      ON CONFLICT (partition) DO NOTHING`,
    values: [partitions]
  }
}

export function lockPartitions(partitions: readonly number[]): Statement<PartitionRow> {
  return {
    name: 'lock-partitions',
    text: `SELECT ${partitionColumns}
      FROM aggregator.partitions WHERE partition = ANY($1::integer[]) ORDER BY partition FOR UPDATE`,
    values: [partitions]
  }
}

export function findFinalWindows(starts: readonly number[]): Statement<Pick<Window, 'startMs'>> {
  return {
    name: 'find-final-windows',
    text: `SELECT start_ms AS "startMs" FROM aggregator.windows WHERE start_ms = ANY($1::bigint[]) AND is_final`,
    values: [starts]
  }
}

/**
 * Adds counts to windows. The revision is the number of orders, plus one once the window is final,
 * so counting the same orders again gives the same revision.
 */
export function addToWindows(windows: Count['windows']): Statement {
  const added = [...windows.values()]
  return {
    name: 'add-to-windows',
    text: `INSERT INTO aggregator.windows (start_ms, orders, late, revision)
      SELECT start_ms, orders, late, orders + late
      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS added (start_ms, orders, late) ORDER BY start_ms
      ON CONFLICT (start_ms) DO UPDATE SET
        orders = windows.orders + excluded.orders, late = windows.late + excluded.late,
        revision = windows.revision + excluded.revision`,
    values: [[...windows.keys()], added.map(({ orders }) => orders), added.map(({ late }) => late)]
  }
}

export function updatePartitions(
  partitions: Count['partitions'],
  topicIDs: ReadonlyMap<number, string | undefined>
): Statement {
  const states = [...partitions.values()]
  return {
    name: 'update-partitions',
    text: `UPDATE aggregator.partitions
      SET topic_id = given.topic_id::uuid, next_offset = given.next_offset, gaps = given.gaps,
        unplaced = partitions.unplaced + given.unplaced
      FROM unnest($1::integer[], $2::bigint[], $3::jsonb[], $4::bigint[], $5::text[])
        AS given (partition, next_offset, gaps, unplaced, topic_id)
      WHERE partitions.partition = given.partition`,
    values: [
      [...partitions.keys()],
      states.map(({ offsets }) => offsets.next),
      states.map(({ offsets }) => JSON.stringify(offsets.gaps)),
      states.map(({ unplaced }) => unplaced),
      [...partitions.keys()].map(partition => topicIDs.get(partition) ?? null)
    ]
  }
}

/**
 * Removes counted offsets from the given ones on: the log lost those records and has others there.
 */
export function forgetCountedFrom(
  partitions: readonly { readonly partition: number; readonly topicID: string; readonly offset: number }[]
): Statement {
  return {
    name: 'forget-counted-from',
    text: `UPDATE aggregator.partitions SET
        next_offset = least(partitions.next_offset, given.from_offset),
        gaps = coalesce((
          SELECT jsonb_agg(jsonb_build_array(gap->0, least((gap->>1)::bigint, given.from_offset)))
          FROM jsonb_array_elements(gaps) AS gap WHERE (gap->>0)::bigint < given.from_offset
        ), '[]')
      FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS given (partition, topic_id, from_offset)
      WHERE partitions.partition = given.partition AND partitions.topic_id = given.topic_id::uuid`,
    values: [
      partitions.map(({ partition }) => partition),
      partitions.map(({ topicID }) => topicID),
      partitions.map(({ offset }) => offset)
    ]
  }
}

export function noteComplete(partitions: readonly PartitionComplete[]): Statement {
  return {
    name: 'note-complete',
    text: `UPDATE aggregator.partitions SET complete_until_ms = greatest(partitions.complete_until_ms, given.complete_until_ms)
      FROM unnest($1::integer[], $2::bigint[]) AS given (partition, complete_until_ms)
      WHERE partitions.partition = given.partition`,
    values: [partitions.map(({ partition }) => partition), partitions.map(({ completeUntilMs }) => completeUntilMs)]
  }
}

export const completeUntil: Statement<{ readonly completeUntilMs: number | null }> = {
  name: 'complete-until',
  text: `SELECT CASE WHEN count(complete_until_ms) = count(*) THEN min(complete_until_ms) END AS "completeUntilMs"
    FROM aggregator.partitions`,
  values: []
}

export function hasSomethingToMakeFinal(
  lastFinalMs: number,
  firstKeptMs: number
): Statement<{ readonly found: boolean }> {
  return {
    name: 'has-something-to-make-final',
    text: `SELECT EXISTS (SELECT FROM aggregator.windows WHERE NOT is_final AND start_ms <= $1)
      OR EXISTS (SELECT FROM aggregator.windows WHERE start_ms < $2 AND revision = published_revision)
      OR EXISTS (SELECT FROM aggregator.partitions WHERE first_kept_window_ms < $2) AS found`,
    values: [lastFinalMs, firstKeptMs]
  }
}

export const lockAllPartitions: Statement = {
  name: 'lock-all-partitions',
  text: 'SELECT FROM aggregator.partitions ORDER BY partition FOR UPDATE',
  values: []
}

export function makeFinal(lastFinalMs: number): Statement {
  return {
    name: 'make-final',
    text: `UPDATE aggregator.windows SET is_final = true, revision = revision + 1
      WHERE NOT is_final AND start_ms <= $1`,
    values: [lastFinalMs]
  }
}

export function keepFrom(firstKeptMs: number): Statement {
  return {
    name: 'keep-from',
    text: 'UPDATE aggregator.partitions SET first_kept_window_ms = $1 WHERE first_kept_window_ms < $1',
    values: [firstKeptMs]
  }
}

export function forgetPublished(firstKeptMs: number): Statement {
  return {
    name: 'forget-published',
    text: 'DELETE FROM aggregator.windows WHERE start_ms < $1 AND revision = published_revision',
    values: [firstKeptMs]
  }
}

export function findUnpublished(limit: number): Statement<Window> {
  return {
    name: 'find-unpublished',
    text: `SELECT ${windowColumns} FROM aggregator.windows WHERE revision > published_revision ORDER BY start_ms LIMIT $1`,
    values: [limit]
  }
}

export function markPublished(windows: readonly Pick<Window, 'startMs' | 'revision'>[]): Statement {
  return {
    name: 'mark-published',
    text: `UPDATE aggregator.windows SET published_revision = greatest(published_revision, given.revision)
      FROM unnest($1::bigint[], $2::bigint[]) AS given (start_ms, revision)
      WHERE windows.start_ms = given.start_ms`,
    values: [windows.map(({ startMs }) => startMs), windows.map(({ revision }) => revision)]
  }
}

export function findWindows(fromMs: number, toMs: number): Statement<Window> {
  return {
    name: 'find-windows',
    text: `SELECT ${windowColumns} FROM aggregator.windows WHERE start_ms BETWEEN $1 AND $2 ORDER BY start_ms`,
    values: [fromMs, toMs]
  }
}
