import {
  checkAdvanced,
  type PositionAdvance,
  type PositionChange,
  PositionConflictError,
  type PositionStore,
  type StoredPosition
} from '@orderly/kafka'
import {
  inTransaction,
  isPostgresConflict,
  isUniqueViolation,
  retryTransient,
  runStatement,
  type Statement
} from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import * as statements from './statements.ts'

/**
 * The positions of a group in the tables `positions` and `incidents` of a service's schema.
 *
 * A service puts `saving(positions)` among the statements of the transaction that stores the effects of a batch, and checks the
 * rows with `checkAdvanced`, which throws where a position was not saved. The row of a partition is locked by that until the end of
 * the transaction, so of two instances that both think they own a partition one waits for the other.
 */
export interface PostgresPositions extends PositionStore {
  /** The statement that saves positions; it returns the partitions of those that it saved. */
  saving(advances: readonly PositionAdvance[]): Statement
}

export interface PostgresPositionsOptions extends Pick<PositionStore, 'whenBehind' | 'remedies'> {
  readonly schema: string
  readonly groupID: string
  /** Further statements for the transaction that replaces positions: other tables may hold offsets of the same partitions. */
  readonly onReplace?: (changes: readonly PositionChange[]) => readonly Statement[]
}

/** Commands of the operator's command line. */
export function positionRemedies(groupID: string): PositionStore['remedies'] {
  return {
    offsetsMissing: `Run: orderly positions resolve ${groupID}`,
    databaseBehind: 'Run: orderly reconcile (docs/backup-and-restore.md)'
  }
}

export function createPostgresPositions(pool: Pool, options: PostgresPositionsOptions): PostgresPositions {
  const { schema, groupID, whenBehind, remedies, onReplace = () => [] } = options
  const afterConflicts = <Result>(work: () => Promise<Result>) =>
    retryTransient(work, { isTransient: isPostgresConflict, attempts: 10, firstDelayMs: 2, maxDelayMs: 200 })
  const saving = (advances: readonly PositionAdvance[]) => statements.advance(schema, groupID, advances)

  return {
    whenBehind,
    remedies,
    saving,

    async load() {
      return (await runStatement(pool, statements.load(schema, groupID))).rows.map(toPosition)
    },

    async advance(advances) {
      if (advances.length === 0) return
      await afterConflicts(() =>
        inTransaction(pool, async client => {
          checkAdvanced(advances, (await runStatement(client, saving(advances))).rows as PositionAdvance[])
        })
      )
    },

    async replace(changes, incidents) {
      await afterConflicts(() =>
        inTransaction(pool, async client => {
          const { rows } = await runStatement(client, statements.lock(schema, groupID, changes))
          assertFormer(changes, rows.map(toPosition))
          for (const statement of [
            statements.put(schema, groupID, changes),
            ...onReplace(changes),
            ...(incidents.length > 0 ? [statements.note(schema, groupID, incidents)] : [])
          ]) {
            await runStatement(client, statement)
          }
        })
      ).catch(error => {
        // Another instance stored the first position of a partition meanwhile.
        throw isUniqueViolation(error, 'positions_pkey') ? new PositionConflictError('a position was added') : error
      })
    }
  }
}

function assertFormer(changes: readonly PositionChange[], stored: readonly StoredPosition[]): void {
  for (const { former, position } of changes) {
    const found = stored.find(own => own.topic === position.topic && own.partition === position.partition)
    if (found?.topicID === former?.topicID && found?.offset === former?.offset) continue
    throw new PositionConflictError(`the position of ${position.topic}/${position.partition} has changed`)
  }
}

function toPosition(row: QueryResultRow): StoredPosition {
  return {
    topic: row.topic,
    partition: row.partition,
    topicID: row.topic_id,
    offset: BigInt(row.next_offset),
    leaderEpoch: row.leader_epoch,
    committedOffset: row.committed_offset === null ? undefined : BigInt(row.committed_offset)
  }
}
