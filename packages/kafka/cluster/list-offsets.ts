import { listOffsetsV9 } from '@platformatic/kafka'
import { checkCode, KafkaError } from '../errors.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

/** Which offset of a partition is asked for: a time stamp of the protocol's, and who asks. */
export interface OffsetSpec {
  readonly timestamp: bigint
  readonly isolationLevel: 0 | 1
}

export const offsetAt = {
  /** The first offset that is still in the log. */
  beginning: { timestamp: -2n, isolationLevel: 1 },
  /** Behind the last record, also when its transaction has not ended: the high watermark. */
  end: { timestamp: -1n, isolationLevel: 0 },
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

/** The offset of each partition, in one request to each of their leaders; in the order in which they were asked for. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[],
  { timestamp, isolationLevel }: OffsetSpec
): Promise<Offset[]> {
  const byLeader = new Map<number, { topic: string; partition: number }[]>()
  for (const { topic, partition } of partitions) {
    const leaderID = (await cluster.partitions(topic))[partition]?.leaderID ?? -1
    if (leaderID < 0) {
      cluster.forget()
      const message = `${topic}/${partition} has no leader at the moment`
      throw new KafkaError('LEADER_NOT_AVAILABLE', message, { retryable: true })
    }
    byLeader.set(leaderID, [...(byLeader.get(leaderID) ?? []), { topic, partition }])
  }
  const found = new Map<string, bigint>()
  for (const [leaderID, own] of byLeader) {
    const topics = [...Map.groupBy(own, ({ topic }) => topic)].map(([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition }) => ({ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }))
    }))
    const connection = await cluster.connectionTo(leaderID)
    const response = await request(connection, listOffsetsV9.api, -1, isolationLevel, topics)
    for (const { name, partitions: answers } of response.topics) {
      for (const { partitionIndex, errorCode, offset } of answers) {
        checkCode(errorCode, `asking for the offsets of ${name}/${partitionIndex}`)
        found.set(`${name}/${partitionIndex}`, offset)
      }
    }
  }
  return partitions.map(({ topic, partition }) => {
    const offset = found.get(`${topic}/${partition}`)
    if (offset === undefined)
      throw new KafkaError('BROKER_UNAVAILABLE', `no answer for ${topic}/${partition}`, { retryable: true })
    return { topic, partition, offset }
  })
}
