import { setTimeout as delay } from 'node:timers/promises'
import { offsetCommitV9, offsetFetchV9 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { checkCode, KafkaError, protocolError } from '../errors.ts'
import type { GroupIdentity } from '../transaction/transactional-producer.ts'
import type { TopicPartition } from './assignment.ts'
import { type InputOffset, toCommitEntries, topicIDOf } from './offset-entry.ts'

const unstableDelayMs = 20
/** Much longer than any transaction may be open: then something is wrong in the cluster, and somebody has to hear of it. */
const longestUnstableMs = 30_000

/** The offset that a group has committed in a partition. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: bigint
  /** -1 when it is unknown. */
  readonly leaderEpoch: number
  /** Undefined when no stage has committed it, but a tool. */
  readonly topicID: string | undefined
}

/**
 * Returns the offsets that a group has committed in these partitions; those without one are left out.
 *
 * Asks for *stable* offsets (KIP-447): while a transaction that carries offsets of a partition has not ended, the coordinator
 * answers "not yet", and this waits: a new owner must not start from before what the former one is about to commit.
 * (The client asks without it.)
 * @throws KafkaError `UNSTABLE_OFFSET_COMMIT` when that takes longer than any transaction may
 */
export async function committedOffsets(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  signal: AbortSignal
): Promise<CommittedOffset[]> {
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
    const committed: CommittedOffset[] = []
    for (const { topic, partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } of offsets) {
      checkCode(errorCode, `reading the offset of ${topic}/${partitionIndex}`)
      if (committedOffset < 0n) continue
      committed.push({
        ...{ topic, partition: partitionIndex, offset: committedOffset },
        ...{ leaderEpoch: committedLeaderEpoch, topicID: topicIDOf(metadata) }
      })
    }
    return committed
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
  const { groupID, generation, memberID, instanceID } = group
  const response = await cluster.askCoordinator(
    'group',
    groupID,
    offsetCommitV9.api,
    groupID,
    generation,
    memberID,
    instanceID,
    toCommitEntries(offsets)
  )
  for (const { partitions } of response.topics) {
    for (const { errorCode } of partitions) checkCode(errorCode, `committing offsets of group ${groupID}`)
  }
}
