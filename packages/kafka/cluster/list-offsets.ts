import { listOffsetsV9 } from '@platformatic/kafka'
import { askLeaders, type FailedPlace, type Place, placeKey } from './ask-leaders.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

const consumerReplica = -1
/** A reader that is shown the whole log, also what is not replicated yet. */
const debuggingReplica = -2

/** Which offset of a partition is asked for: a time stamp of the protocol's, and who asks. */
export interface OffsetSpec {
  readonly timestamp: bigint
  readonly isolationLevel: 0 | 1
  /** True when records that are not replicated yet count as well. */
  readonly isOfWholeLog?: boolean
}

export const offsetAt = {
  /** The first offset that is still in the log. */
  beginning: { timestamp: -2n, isolationLevel: 1 },
  /** Behind the last record, also when its transaction has not ended: the high watermark. */
  end: { timestamp: -1n, isolationLevel: 0 },
  /** Behind the last record that the leader has, also when it is not replicated yet: the log end offset. */
  logEnd: { timestamp: -1n, isolationLevel: 0, isOfWholeLog: true },
  /** Behind the last record that a `read_committed` reader gets: the last stable offset. */
  stableEnd: { timestamp: -1n, isolationLevel: 1 },
  /** The first record that was written at this time or later. */
  time: (timeMs: number): OffsetSpec => ({ timestamp: BigInt(timeMs), isolationLevel: 1 })
} as const satisfies Record<string, OffsetSpec | ((timeMs: number) => OffsetSpec)>

interface Offset {
  readonly topic: string
  readonly partition: number
  /** -1 when no record is as young as the time that was asked for. */
  readonly offset: bigint
}

/** Offsets of the partitions that can be asked, and why the others cannot. */
export interface FoundOffsets {
  readonly found: readonly Offset[]
  readonly failed: readonly FailedPlace[]
}

/** Returns the offset of each partition, in the order in which they were asked for. @throws KafkaError when one cannot be asked */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly Place[],
  spec: OffsetSpec
): Promise<readonly Offset[]> {
  const { found, failed } = await findOffsets(cluster, partitions, spec)
  const [first] = failed
  if (first !== undefined) throw first.error
  return found
}

/** Returns what `listOffsets` does for the partitions that can be asked. */
export async function findOffsets(
  cluster: Cluster,
  partitions: readonly Place[],
  { timestamp, isolationLevel, isOfWholeLog = false }: OffsetSpec
): Promise<FoundOffsets> {
  const { answers, failed } = await askLeaders(cluster, partitions, async (connection, led) => {
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([name, own]) => ({
      name,
      partitions: own.map(({ partition, leader }) => ({
        ...{ partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, timestamp }
      }))
    }))
    const replica = isOfWholeLog ? debuggingReplica : consumerReplica
    const response = await request(connection, listOffsetsV9.api, replica, isolationLevel, topics)
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode, offset }) => ({
        ...{ topic: name, partition: partitionIndex, errorCode, answer: offset }
      }))
    )
  })
  const found = partitions.flatMap(({ topic, partition }) => {
    const offset = answers.get(placeKey({ topic, partition }))
    return offset === undefined ? [] : [{ topic, partition, offset }]
  })
  return { found, failed }
}
