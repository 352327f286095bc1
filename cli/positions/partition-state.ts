import type { PositionRow } from '@orderly/positions'

/** A partition of a group: its position in the database and in Kafka, and the log. */
export interface GroupPartition {
  readonly topic: string
  readonly partition: number
  readonly stored: PositionRow | undefined
  readonly committed: { readonly offset: bigint; readonly topicID: string | undefined } | undefined
  /** False if the topic does not exist or has fewer partitions. */
  readonly isThere: boolean
  /** Undefined if the partition does not exist or has no leader that answers. */
  readonly log: { readonly topicID: string; readonly beginning: bigint; readonly end: bigint } | undefined
}

export const partitionStates = [
  'ok',
  'not read yet',
  'set by a tool',
  'no such partition',
  'no leader',
  'topic recreated',
  'log truncated',
  'offsets missing',
  'database behind'
] as const
export type PartitionState = (typeof partitionStates)[number]

/**
 * Returns the state that the stage of the group finds when it starts
 * (packages/kafka/stage/starting-positions.ts).
 */
export function stateOf({ stored, committed, isThere, log }: GroupPartition): PartitionState {
  if (log === undefined) return isThere ? 'no leader' : 'no such partition'
  const isOurs = committed?.topicID === log.topicID
  if (stored === undefined || stored.topicID !== log.topicID) {
    if (isOurs && committed.offset > log.beginning) return 'database behind'
    if (committed !== undefined && committed.topicID === undefined) return 'set by a tool'
    return stored === undefined ? 'not read yet' : 'topic recreated'
  }
  if (committed === undefined || (committed.topicID !== undefined && !isOurs))
    return stored.committedOffset === null ? 'not read yet' : 'offsets missing'
  if (BigInt(stored.nextOffset) > log.end) return 'log truncated'
  if (committed.offset > BigInt(stored.nextOffset)) return 'database behind'
  if (stored.committedOffset !== null && committed.offset < BigInt(stored.committedOffset)) return 'offsets missing'
  return 'ok'
}
