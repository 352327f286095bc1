import {
  checkAdvanced,
  type PositionAdvance,
  type PositionChange,
  PositionConflictError,
  type PositionStore,
  type StoredPosition,
  type TopicPartition
} from '@orderly/kafka'
import { inTransaction, isUniqueViolation, retryConflicts, runStatement, type Statement } from '@orderly/postgres'
import type { Pool } from 'pg'
import * as statements from './statements.ts'

/**
 * The stored positions of a consumer group in the tables `positions` and `incidents` of a service's
 * schema.
 *
 * A service adds `saving(advances)` to the transaction that stores the effects of a batch, and
 * passes the returned rows to `checkAdvanced`, which throws if a position was not saved. The
 * statement locks the row of each partition until the end of the transaction. So if two instances
 * both assume that they own a partition, one waits for the other.
 */
export interface PostgresPositions extends PositionStore {
  /**
   * Returns the statement that saves positions; its rows are the partitions whose positions were
   * saved.
   */
  saving(advances: readonly PositionAdvance[]): Statement<TopicPartition>
}

export interface PostgresPositionsOptions extends Pick<PositionStore, 'whenBehind'> {
  readonly schema: string
  readonly groupID: string
  /**
   * Returns more statements for the transaction that replaces positions, for tables with offsets of
   * the same partitions.
   */
  readonly onReplace?: (changes: readonly PositionChange[]) => readonly Statement[]
}

export function createPostgresPositions(pool: Pool, options: PostgresPositionsOptions): PostgresPositions {
  const { schema, groupID, whenBehind, onReplace = () => [] } = options
  const saving = (advances: readonly PositionAdvance[]) => statements.advance(schema, groupID, advances)

  return {
    whenBehind,
    remedies: {
      offsetsMissing: `Run: orderly positions resolve ${groupID}`,
      databaseBehind: 'Run: orderly reconcile (docs/guides/back-up.md)'
    },
    saving,

    async load() {
      return (await runStatement(pool, statements.load(schema, groupID))).rows.map(toPosition)
    },

    async advance(advances) {
      if (advances.length === 0) return
      await retryConflicts(() =>
        inTransaction(pool, async client => {
          checkAdvanced(advances, (await runStatement(client, saving(advances))).rows)
        })
      )
    },

    async replace(changes, incidents) {
      await retryConflicts(() =>
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
        // Another instance has stored the first position of a partition in the meantime.
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

function toPosition(row: statements.PositionRow): StoredPosition {
  return {
    topic: row.topic,
    partition: row.partition,
    topicID: row.topic_id,
    offset: BigInt(row.next_offset),
    leaderEpoch: row.leader_epoch,
    committedOffset: row.committed_offset === null ? undefined : BigInt(row.committed_offset)
  }
}
