import { KafkaError } from '../errors.ts'
import type { TopicPartition } from '../group/assignment.ts'

/**
 * Positions of a stage's group in the database that holds its effects, beside the offsets that Kafka holds. With both, a stage notices when one
 * of them has lost data. Optional; without it a stage relies on Kafka alone.
 *
 * `process` saves the positions that it is given in the transaction of its effects, so a stored position says: the effects of all
 * records before it are stored, or those records were given up. Kafka commits later. Hence **the stored position is never before the
 * committed offset**, at any time, and what contradicts that is a loss:
 *
 * | committed in Kafka | stored | means |
 * | --- | --- | --- |
 * | at or before stored | | nothing is lost; the stage resumes at the committed offset |
 * | behind stored | | the database was restored to an earlier state, or emptied |
 * | nothing | for this topic id | the group was deleted, or its offsets expired |
 * | nothing | nothing, or for another topic id | a new partition, or a topic that was created again |
 *
 * A stage never resumes *from* the stored position while Kafka has an offset: outputs of records between the two may be missing.
 */
export interface PositionStore {
  /** Reaction to a database that has lost positions: `rewind` is for effects that may be repeated, `stop` for others. */
  readonly whenBehind: 'stop' | 'rewind'
  /** Commands that an operator runs when the stage refuses to start; part of the error message. */
  readonly remedies: { readonly offsetsMissing: string; readonly databaseBehind: string }
  load(): Promise<readonly StoredPosition[]>
  /** Saves positions apart from effects, all or none. @throws PositionConflictError */
  advance(advances: readonly PositionAdvance[]): Promise<void>
  /** Sets positions and notes what happened, all or nothing. @throws PositionConflictError when a former one is not there any more */
  replace(changes: readonly PositionChange[], incidents: readonly Incident[]): Promise<void>
}

export interface StoredPosition extends TopicPartition {
  readonly topicID: string
  /** The effects of all records before it are stored. */
  readonly offset: bigint
  /** Leader epoch of the record before `offset`; -1 when it is unknown. */
  readonly leaderEpoch: number
  /** An offset that was known to be committed in Kafka when this was saved; undefined until the first is. */
  readonly committedOffset: bigint | undefined
}

/** Progress in a partition. A store saves it only if the stored position belongs to the topic id and is not before `from`. */
export interface PositionAdvance extends TopicPartition {
  readonly topicID: string
  /** Position that is stored already, unless the database has lost it. */
  readonly from: bigint
  /** Next record to process. A stored position behind it stays. */
  readonly to: bigint
  readonly leaderEpoch: number
  readonly committedOffset: bigint
}

export interface PositionChange {
  readonly former: StoredPosition | undefined
  readonly position: StoredPosition
}

/** Something that operators have to know of: data was lost or changed underneath. */
export interface Incident extends TopicPartition {
  readonly kind: IncidentKind
  readonly fromOffset?: bigint
  readonly toOffset?: bigint
  readonly topicID?: string
  readonly detail?: string
}

export const incidentKinds = [
  'offsets_skipped',
  'topic_recreated',
  'log_truncated',
  'offsets_missing',
  'database_behind',
  'partitions_added'
] as const
export type IncidentKind = (typeof incidentKinds)[number]

/** The stored positions are not those that the stage relies on: it reads both again, and decides from there. */
export class PositionConflictError extends KafkaError {
  constructor(message: string) {
    super('POSITION_CONFLICT', message, { retryable: true })
    this.name = 'PositionConflictError'
  }
}

/** @throws PositionConflictError unless every advance was saved */
export function checkAdvanced(advances: readonly PositionAdvance[], saved: readonly TopicPartition[]): void {
  const places = new Set(saved.map(({ topic, partition }) => `${topic}/${partition}`))
  const refused = advances.find(({ topic, partition }) => !places.has(`${topic}/${partition}`))
  if (refused === undefined) return
  const { topic, partition, from } = refused
  throw new PositionConflictError(`the stored position of ${topic}/${partition} is before ${from}, or of another topic`)
}
