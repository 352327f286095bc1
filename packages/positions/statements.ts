import type { Incident, PositionAdvance, PositionChange, TopicPartition } from '@orderly/kafka'
import type { Statement } from '@orderly/postgres'
import pg from 'pg'

/** SQL statements for stored positions. Each one works on many rows, which are passed as arrays. */

/** Columns of the table `positions` that are read. */
export interface PositionRow extends TopicPartition {
  readonly topic_id: string
  readonly next_offset: number
  readonly leader_epoch: number
  readonly committed_offset: number | null
}

const nameIn = (schema: string, table: string) => `${pg.escapeIdentifier(schema)}.${table}`

export function load(schema: string, groupID: string): Statement<PositionRow> {
  return {
    name: `load positions in ${schema}`,
    text: `SELECT topic, partition, topic_id, next_offset, leader_epoch, committed_offset
      FROM ${nameIn(schema, 'positions')} WHERE group_id = $1 ORDER BY topic, partition`,
    values: [groupID]
  }
}

/**
 * Saves each position whose row has the same topic id and an offset of at least `from`, and returns
 * its partition. A position that is already ahead is not moved back. `uncommitted_since` is the
 * time of the first save whose records are not confirmed as committed.
 */
export function advance(
  schema: string,
  groupID: string,
  advances: readonly PositionAdvance[]
): Statement<TopicPartition> {
  return {
    name: `advance positions in ${schema}`,
    text: `UPDATE ${nameIn(schema, 'positions')} AS stored SET
        next_offset = greatest(stored.next_offset, given.to_offset),
        leader_epoch = CASE WHEN given.to_offset > stored.next_offset THEN given.leader_epoch ELSE stored.leader_epoch END,
        committed_offset = greatest(stored.committed_offset, given.committed_offset),
        uncommitted_since = CASE
          WHEN greatest(stored.committed_offset, given.committed_offset) >= greatest(stored.next_offset, given.to_offset) THEN NULL
          WHEN given.committed_offset >= stored.next_offset THEN statement_timestamp()
          ELSE coalesce(stored.uncommitted_since, statement_timestamp())
        END,
        updated_at = statement_timestamp()
      FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[], $8::bigint[])
        AS given (topic, partition, topic_id, from_offset, to_offset, leader_epoch, committed_offset)
      WHERE stored.group_id = $1 AND stored.topic = given.topic AND stored.partition = given.partition
        AND stored.topic_id = given.topic_id::uuid AND stored.next_offset >= given.from_offset
      RETURNING stored.topic, stored.partition`,
    values: [
      groupID,
      ...partitionColumns(advances),
      advances.map(({ topicID }) => topicID),
      advances.map(({ from }) => Number(from)),
      advances.map(({ to }) => Number(to)),
      advances.map(({ leaderEpoch }) => leaderEpoch),
      advances.map(({ committedOffset }) => Number(committedOffset))
    ]
  }
}

export function lock(schema: string, groupID: string, changes: readonly PositionChange[]): Statement<PositionRow> {
  return {
    name: `lock positions in ${schema}`,
    text: `SELECT stored.topic, stored.partition, topic_id, next_offset, leader_epoch, committed_offset
      FROM ${nameIn(schema, 'positions')} AS stored
      JOIN unnest($2::text[], $3::integer[]) AS given (topic, partition)
        ON stored.topic = given.topic AND stored.partition = given.partition
      WHERE group_id = $1 ORDER BY stored.topic, stored.partition FOR UPDATE OF stored`,
    values: [groupID, ...partitionColumns(changes.map(({ position }) => position))]
  }
}

/**
 * Updates the positions of locked rows and inserts missing ones. Fails with a unique violation if
 * one was inserted concurrently.
 */
export function put(schema: string, groupID: string, changes: readonly PositionChange[]): Statement {
  const positions = changes.map(({ position }) => position)
  return {
    name: `put positions in ${schema}`,
    text: `WITH given AS (
        SELECT * FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::integer[], $7::bigint[])
          AS given (topic, partition, topic_id, next_offset, leader_epoch, committed_offset)
      ), changed AS (
        UPDATE ${nameIn(schema, 'positions')} AS stored SET
          topic_id = given.topic_id::uuid, next_offset = given.next_offset, leader_epoch = given.leader_epoch,
          committed_offset = given.committed_offset, uncommitted_since = NULL, updated_at = statement_timestamp()
        FROM given WHERE stored.group_id = $1 AND stored.topic = given.topic AND stored.partition = given.partition
        RETURNING stored.topic, stored.partition
      )
      INSERT INTO ${nameIn(schema, 'positions')}
        (group_id, topic, partition, topic_id, next_offset, leader_epoch, committed_offset)
      SELECT $1, topic, partition, topic_id::uuid, next_offset, leader_epoch, committed_offset FROM given
      WHERE NOT EXISTS (SELECT FROM changed WHERE changed.topic = given.topic AND changed.partition = given.partition)`,
    values: [
      groupID,
      ...partitionColumns(positions),
      positions.map(({ topicID }) => topicID),
      positions.map(({ offset }) => Number(offset)),
      positions.map(({ leaderEpoch }) => leaderEpoch),
      positions.map(({ committedOffset }) => (committedOffset === undefined ? null : Number(committedOffset)))
    ]
  }
}

/**
 * Inserts incidents unless the same incident is unacknowledged: a stage that cannot start detects
 * it at every attempt.
 */
export function note(schema: string, groupID: string, incidents: readonly Incident[]): Statement {
  const offsets = (read: (incident: Incident) => bigint | undefined) =>
    incidents.map(incident => {
      const offset = read(incident)
      return offset === undefined ? null : Number(offset)
    })
  return {
    name: `note incidents in ${schema}`,
    text: `INSERT INTO ${nameIn(schema, 'incidents')} (group_id, kind, topic, partition, from_offset, to_offset, topic_id, detail)
      SELECT $1, kind, topic, partition, from_offset, to_offset, topic_id::uuid, detail
      FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
        AS given (topic, partition, kind, from_offset, to_offset, topic_id, detail)
      WHERE NOT EXISTS (
        SELECT FROM ${nameIn(schema, 'incidents')} AS known
        WHERE known.acknowledged_at IS NULL AND known.group_id = $1
          AND (known.kind, known.topic, known.partition, known.from_offset, known.to_offset, known.topic_id)
            IS NOT DISTINCT FROM
            (given.kind, given.topic, given.partition, given.from_offset, given.to_offset, given.topic_id::uuid)
      )`,
    values: [
      groupID,
      ...partitionColumns(incidents),
      incidents.map(({ kind }) => kind),
      offsets(({ fromOffset }) => fromOffset),
      offsets(({ toOffset }) => toOffset),
      incidents.map(({ topicID }) => topicID ?? null),
      incidents.map(({ detail }) => detail ?? null)
    ]
  }
}

function partitionColumns(partitions: readonly { readonly topic: string; readonly partition: number }[]) {
  return [partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition)]
}
