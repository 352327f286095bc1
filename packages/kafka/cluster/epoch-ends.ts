import { offsetForLeaderEpochV4 } from '@platformatic/kafka'
import type { EpochEnd } from '../committed-read/fetch-committed.ts'
import { checkCode, KafkaError } from '../errors.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

export interface EpochQuestion {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch: number
}

const asConsumer = -1

/**
 * Asks each leader up to where its log was written in the given epoch or an earlier one (KIP-320). A position that was read in that
 * epoch and lies behind the answer is not in the log any more.
 *
 * The answers are in the order of the questions; undefined where the leader knows no such epoch.
 */
export async function epochEnds(
  cluster: Cluster,
  questions: readonly EpochQuestion[]
): Promise<(EpochEnd | undefined)[]> {
  const byLeader = new Map<number, (EpochQuestion & { readonly currentLeaderEpoch: number })[]>()
  for (const question of questions) {
    const { topic, partition } = question
    const leader = (await cluster.partitions(topic))[partition]
    if (leader === undefined || leader.leaderID < 0) {
      cluster.forget()
      const message = `${topic}/${partition} has no leader at the moment`
      throw new KafkaError('LEADER_NOT_AVAILABLE', message, { retryable: true })
    }
    const asked = { ...question, currentLeaderEpoch: leader.leaderEpoch }
    byLeader.set(leader.leaderID, [...(byLeader.get(leader.leaderID) ?? []), asked])
  }
  const found = new Map<string, EpochEnd>()
  for (const [leaderID, own] of byLeader) {
    const topics = [...Map.groupBy(own, ({ topic }) => topic)].map(([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
        partitionIndex: partition,
        ...{ currentLeaderEpoch, leaderEpoch }
      }))
    }))
    const connection = await cluster.connectionTo(leaderID)
    const response = await request(connection, offsetForLeaderEpochV4.api, asConsumer, topics)
    for (const { topic, partitions } of response.topics) {
      for (const { partition, errorCode, leaderEpoch, endOffset } of partitions) {
        checkCode(errorCode, `asking for the end of an epoch of ${topic}/${partition}`)
        if (leaderEpoch >= 0 && endOffset >= 0n) found.set(`${topic}/${partition}`, { leaderEpoch, endOffset })
      }
    }
  }
  return questions.map(({ topic, partition }) => found.get(`${topic}/${partition}`))
}
