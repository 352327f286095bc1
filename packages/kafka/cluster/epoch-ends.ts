import { offsetForLeaderEpochV4 } from '@platformatic/kafka'
import type { TopicPartition } from '../types.ts'
import { askLeaders, type FailedPartition } from './ask-leaders.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: bigint
}

export interface EpochQuestion extends TopicPartition {
  readonly leaderEpoch: number
}

const asConsumer = -1

/**
 * Queries each leader for the end of its log in the given epoch or an earlier one (KIP-320). A
 * position that was read in that epoch and is past this end is not in the log any more.
 *
 * @returns the answers by `topic/partition`, undefined if the leader does not know the epoch, and
 * the partitions that cannot be queried
 */
export function epochEnds(
  cluster: Cluster,
  questions: readonly EpochQuestion[]
): Promise<{
  readonly answers: ReadonlyMap<string, EpochEnd | undefined>
  readonly failed: readonly FailedPartition[]
}> {
  return askLeaders(cluster, questions, async (connection, led) => {
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([name, own]) => ({
      name,
      partitions: own.map(({ partition, leader, leaderEpoch }) => ({
        ...{ partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, leaderEpoch }
      }))
    }))
    const response = await request(connection, offsetForLeaderEpochV4.api, asConsumer, topics)
    return response.topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => {
        const answer = leaderEpoch >= 0 && endOffset >= 0n ? { leaderEpoch, endOffset } : undefined
        return { topic, partition, errorCode, answer }
      })
    )
  })
}
