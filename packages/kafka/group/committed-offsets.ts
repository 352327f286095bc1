import { setTimeout as delay } from 'node:timers/promises'
import { offsetCommitV9, offsetFetchV9 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { beginningOffsets, type PartitionPosition } from '../committed-read/fetcher.ts'
import { checkCode, KafkaError, protocolError } from '../errors.ts'
import type { GroupIdentity, InputOffset } from '../transaction/transactional-producer.ts'
import type { TopicPartition } from './assignment.ts'

const unstableDelayMs = 20
/** Much longer than any transaction may be open: then something is wrong in the cluster, and somebody has to hear of it. */
const longestUnstableMs = 30_000

/**
 * Where a group goes on in these partitions: behind what it committed, or at the beginning of the log.
 *
 * Asks for *stable* offsets (KIP-447): while a transaction that carries offsets of a partition has not ended, the coordinator
 * answers "not yet", and this waits: a new owner must not start from before what the former one is about to commit.
 * (The client asks without it.)
 * @throws KafkaError `UNSTABLE_OFFSET_COMMIT` when that takes longer than any transaction may
 */
export async function committedPositions(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  signal: AbortSignal
): Promise<PartitionPosition[]> {
  if (partitions.length === 0) return []
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, own]) => ({
    name,
    partitionIndexes: own.map(({ partition }) => partition)
  }))
  const deadlineMs = performance.now() + longestUnstableMs
  for (;;) {
    signal.throwIfAborted()
    const response = await cluster.askCoordinator(
      'group',
      group.groupID,
      offsetFetchV9.api,
      [{ groupId: group.groupID, memberId: null, memberEpoch: -1, topics }],
      true
    )
    const answer = response.groups[0]
    checkCode(answer?.errorCode ?? 0, `reading the offsets of group ${group.groupID}`)
    const offsets = (answer?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(partition => ({ topic: name, ...partition }))
    )
    const unstable = offsets.find(
      ({ errorCode }) => errorCode !== 0 && protocolError(errorCode, '').code === 'UNSTABLE_OFFSET_COMMIT'
    )
    if (unstable !== undefined) {
      if (performance.now() > deadlineMs) throw hangingTransaction(group.groupID, unstable)
      await delay(unstableDelayMs)
      continue
    }
    const positions: PartitionPosition[] = []
    const fresh: TopicPartition[] = []
    for (const { topic, partitionIndex, committedOffset, errorCode } of offsets) {
      checkCode(errorCode, `reading the offset of ${topic}/${partitionIndex}`)
      if (committedOffset >= 0n) positions.push({ topic, partition: partitionIndex, offset: committedOffset })
      else fresh.push({ topic, partition: partitionIndex })
    }
    return [...positions, ...(await beginningOffsets(cluster, fresh))]
  }
}

function hangingTransaction(groupID: string, at: { topic: string; partitionIndex: number }): KafkaError {
  return new KafkaError(
    'UNSTABLE_OFFSET_COMMIT',
    `a transaction with the offset of group ${groupID} in ${at.topic}/${at.partitionIndex} has not ended for ${longestUnstableMs / 1_000} s: ` +
      'look for a hanging transaction in __consumer_offsets (kafka-transactions.sh find-hanging)',
    { retryable: true }
  )
}

/** Commits offsets outside of a transaction. @throws KafkaError, also when the group has changed (`ILLEGAL_GENERATION`, …) */
export async function commitOffsets(
  cluster: Cluster,
  group: GroupIdentity,
  offsets: readonly InputOffset[]
): Promise<void> {
  const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, own]) => ({
    name,
    partitions: own.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1
    }))
  }))
  const { groupID, generation, memberID, instanceID } = group
  const response = await cluster.askCoordinator(
    'group',
    groupID,
    offsetCommitV9.api,
    groupID,
    generation,
    memberID,
    instanceID,
    topics
  )
  for (const { partitions } of response.topics) {
    for (const { errorCode } of partitions) checkCode(errorCode, `committing offsets of group ${groupID}`)
  }
}
