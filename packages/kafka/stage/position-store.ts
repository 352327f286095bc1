import { KafkaError } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../types.ts'

/**
 * Positions of a stage's group, in the database that holds its effects. Together with Kafka's
 * offsets they let the stage detect when one of the two has lost data. Optional; without it a stage
 * relies on Kafka alone.
 *
 * `process` saves its positions in the transaction of its effects. A stored position therefore
 * means that the effects of all records before it are stored, or that those records became dead
 * letters. The commit in Kafka follows. Hence **the stored position is never before the committed
 * offset**, and any contradiction is a loss:
 *
 * | committed in Kafka | stored | meaning |
 * | --- | --- | --- |
 * | at or before stored | | nothing is lost; the stage resumes at the committed offset |
 * | after stored | | the database was restored to an earlier state, or emptied |
 * | nothing | for this topic id | the group was deleted, or its offsets expired |
 * | nothing | nothing, or for another topic id | a new partition, or a recreated topic |
 *
 * A stage never resumes *from* the stored position while Kafka has an offset, because outputs of
 * the records between the two may be missing.
 */
export interface PositionStore {
  /**
   * Reaction to a database that has lost positions: `rewind` for effects that may be repeated,
   * `stop` for others.
   */
  readonly whenBehind: 'stop' | 'rewind'
  /** Commands for operators when the stage refuses to start; part of the error message. */
  readonly remedies: { readonly offsetsMissing: string; readonly databaseBehind: string }
  /** Returns all stored positions of the group. */
  load(): Promise<readonly StoredPosition[]>
  /** Saves positions separately from effects, all or none. @throws PositionConflictError */
  advance(advances: readonly PositionAdvance[]): Promise<void>
  /**
   * Sets positions and records incidents, all or nothing. @throws PositionConflictError when a
   * former position has changed
   */
  replace(changes: readonly PositionChange[], incidents: readonly Incident[]): Promise<void>
}

/** Position of a group in a partition, as stored next to the effects. */
export interface StoredPosition extends TopicPartition {
  readonly topicID: string
  /** Next offset to process; the effects of all records before it are stored. */
  readonly offset: bigint
  /** Leader epoch of the record before `offset`; -1 if unknown. */
  readonly leaderEpoch: number
  /**
   * Offset known to be committed in Kafka at the time of this save; undefined before the first
   * commit.
   */
  readonly committedOffset: bigint | undefined
}

/**
 * Progress in a partition. A store saves it only if the stored position belongs to the topic id and
 * is not before `from`.
 */
export interface PositionAdvance extends TopicPartition {
  readonly topicID: string
  /** Position that is already stored, unless the database has lost it. */
  readonly from: bigint
  /** Next offset to process. A stored position after it is kept. */
  readonly to: bigint
  readonly leaderEpoch: number
  readonly committedOffset: bigint
}

/** Position to set, and the one that it replaces; undefined for a new partition. */
export interface PositionChange {
  readonly former: StoredPosition | undefined
  readonly position: StoredPosition
}

/** Detected loss or change of data that operators must know about. */
export interface Incident extends TopicPartition {
  readonly kind: IncidentKind
  readonly fromOffset?: bigint
  readonly toOffset?: bigint
  readonly topicID?: string
  readonly detail?: string
}

/** All kinds of incidents. */
export const incidentKinds = [
  'offsets_skipped',
  'topic_recreated',
  'log_truncated',
  'offsets_missing',
  'database_behind',
  'partitions_added'
] as const
/** Kind of a detected loss or change of data. */
export type IncidentKind = (typeof incidentKinds)[number]

/**
 * Error for stored positions that differ from those the stage relies on. The stage reads positions
 * and offsets again and decides from there.
 */
export class PositionConflictError extends KafkaError {
  constructor(message: string) {
    super('POSITION_CONFLICT', message, { retryable: true })
    this.name = 'PositionConflictError'
  }
}

/** Checks that every advance was saved. @throws PositionConflictError otherwise */
export function checkAdvanced(advances: readonly PositionAdvance[], saved: readonly TopicPartition[]): void {
  const savedPartitions = new Set(saved.map(partitionKey))
  const refused = advances.find(own => !savedPartitions.has(partitionKey(own)))
  if (refused === undefined) return
  const { topic, partition, from } = refused
  throw new PositionConflictError(`stored position of ${topic}/${partition} is before ${from} or has another topic id`)
}
