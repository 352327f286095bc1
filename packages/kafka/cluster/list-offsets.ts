import { listOffsetsV9 } from '@platformatic/kafka'
import { partitionKey, type TopicPartition } from '../types.ts'
import { askLeaders, type FailedPartition } from './ask-leaders.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

const consumerReplica = -1
/**
 * Replica id of a reader that sees the whole log, including records that are not replicated yet.
 */
const debuggingReplica = -2

/** Offset to query: a special timestamp of the protocol, and the isolation level. */
export interface OffsetSpec {
  readonly timestamp: bigint
  readonly isolationLevel: 0 | 1
  /** True to include records that are not replicated yet. */
  readonly isOfWholeLog?: boolean
}

export const offsetAt = {
  /** First offset that is still in the log. */
  beginning: { timestamp: -2n, isolationLevel: 1 },
  /** High watermark: the offset after the last record, even if its transaction is open. */
  end: { timestamp: -1n, isolationLevel: 0 },
  /**
   * Log end offset: the offset after the leader's last record, even if it is not replicated yet.
   */
  logEnd: { timestamp: -1n, isolationLevel: 0, isOfWholeLog: true },
  /** Last stable offset: the end of what a `read_committed` consumer reads. */
  stableEnd: { timestamp: -1n, isolationLevel: 1 },
  /** First record that was written at this time or later. */
  time: (timeMs: number): OffsetSpec => ({ timestamp: BigInt(timeMs), isolationLevel: 1 })
} as const satisfies Record<string, OffsetSpec | ((timeMs: number) => OffsetSpec)>

interface Offset {
  readonly topic: string
  readonly partition: number
  /** Offset; -1 if no record was written at or after the requested time. */
  readonly offset: bigint
}

/** Offsets of the partitions that could be queried, and the errors of the others. */
export interface FoundOffsets {
  readonly found: readonly Offset[]
  readonly failed: readonly FailedPartition[]
}

/**
 * Returns the offset of each partition, in the given order. @throws KafkaError when one cannot be
 * queried
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  spec: OffsetSpec
): Promise<readonly Offset[]> {
  const { found, failed } = await findOffsets(cluster, partitions, spec)
  const [first] = failed
  if (first !== undefined) throw first.error
  return found
}

/** Returns the offsets like `listOffsets`, but omits partitions that cannot be queried. */
export async function findOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  { timestamp, isolationLevel, isOfWholeLog = false }: OffsetSpec
): Promise<FoundOffsets> {
  const questions = partitions.map(own => ({ ...own, timestamp }))
  const replica = isOfWholeLog ? debuggingReplica : consumerReplica
  const { answers, failed } = await askOffsets(cluster, questions, replica, isolationLevel)
  const found = partitions.flatMap(({ topic, partition }) => {
    const answer = answers.get(partitionKey({ topic, partition }))
    return answer === undefined ? [] : [{ topic, partition, offset: answer.offset }]
  })
  return { found, failed }
}

export interface PlaceAtTime extends TopicPartition {
  readonly timeMs: number
}

export interface TimedOffset {
  readonly offset: bigint
  readonly timestampMs: number
}

/**
 * Returns, by `topic/partition`, the first record below the high watermark that was written at the
 * partition's time or later; `none` if all records are older. Omits partitions that cannot be
 * queried.
 */
export async function askTimes(
  cluster: Cluster,
  questions: readonly PlaceAtTime[]
): Promise<ReadonlyMap<string, TimedOffset | 'none'>> {
  const asked = questions.map(({ timeMs, ...own }) => ({ ...own, timestamp: BigInt(timeMs) }))
  const { answers } = await askOffsets(cluster, asked, consumerReplica, 0)
  return new Map(
    [...answers].map(([key, { offset, timestamp }]) => [
      key,
      offset < 0n ? 'none' : { offset, timestampMs: Number(timestamp) }
    ])
  )
}

function askOffsets(
  cluster: Cluster,
  questions: readonly (TopicPartition & { readonly timestamp: bigint })[],
  replica: number,
  isolationLevel: 0 | 1
) {
  return askLeaders(cluster, questions, async (connection, led) => {
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([name, own]) => ({
      name,
      partitions: own.map(({ partition, leader, timestamp }) => ({
        ...{ partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, timestamp }
      }))
    }))
    const response = await request(connection, listOffsetsV9.api, replica, isolationLevel, topics)
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode, offset, timestamp }) => ({
        ...{ topic: name, partition: partitionIndex, errorCode, answer: { offset, timestamp } }
      }))
    )
  })
}
