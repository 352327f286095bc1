import { setTimeout as delay } from 'node:timers/promises'
import { offsetCommitV9, offsetFetchV9 } from '@platformatic/kafka'
import type { FailedPartition } from '../cluster/ask-leaders.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checkCode, KafkaError, protocolError } from '../errors.ts'
import type { GroupIdentity, TopicPartition } from '../types.ts'
import { type InputOffset, toCommitEntries, topicIDOf } from './offset-entry.ts'

const unstable = 'UNSTABLE_OFFSET_COMMIT'
const unstableDelayMs = 20
/**
 * Maximum wait for an open transaction with offsets. A commit takes milliseconds; transactions left
 * open by their owner are not waited for.
 */
const unstablePatienceMs = 1_000

/** Offset that a group has committed in a partition. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: bigint
  /** Leader epoch of the record before `offset`; -1 if unknown. */
  readonly leaderEpoch: number
  /** Topic id; undefined if an external tool committed the offset, not a stage. */
  readonly topicID: string | undefined
}

export interface CommittedOffsets {
  /** Committed offsets; partitions without one are omitted. */
  readonly found: readonly CommittedOffset[]
  /** Partitions whose offset cannot be read, with the error. */
  readonly failed: readonly FailedPartition[]
}

/**
 * Returns the offsets that a group has committed in these partitions.
 *
 * Requests *stable* offsets (KIP-447), which the client library does not: while a transaction with
 * offsets of a partition is open, the coordinator answers `UNSTABLE_OFFSET_COMMIT`, and this
 * function waits up to `patienceMs`. Otherwise a new owner could start before offsets that the
 * former owner is about to commit. A partition whose transaction stays open fails; the others are
 * returned.
 *
 * @throws KafkaError when the group cannot be queried, or the signal's reason
 */
export async function committedOffsets(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  { signal, patienceMs = unstablePatienceMs }: { readonly signal: AbortSignal; readonly patienceMs?: number }
): Promise<CommittedOffsets> {
  if (partitions.length === 0) return { found: [], failed: [] }
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await askOffsets(cluster, group.groupID, partitions)
    if (!answer.failed.some(({ error }) => error.code === unstable) || performance.now() >= deadlineMs) return answer
    await delay(unstableDelayMs)
  }
}

async function askOffsets(
  cluster: Cluster,
  groupID: string,
  partitions: readonly TopicPartition[]
): Promise<CommittedOffsets> {
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, own]) => ({
    name,
    partitionIndexes: own.map(({ partition }) => partition)
  }))
  const question = [{ groupId: groupID, memberId: null, memberEpoch: -1, topics }]
  const [answer] = (await cluster.askCoordinator('group', groupID, offsetFetchV9.api, question, true)).groups
  checkCode(answer?.errorCode ?? 0, `reading the offsets of group ${groupID}`)
  const found: CommittedOffset[] = []
  const failed: FailedPartition[] = []
  for (const { name: topic, partitions } of answer?.topics ?? []) {
    for (const {
      partitionIndex: partition,
      committedOffset,
      committedLeaderEpoch,
      metadata,
      errorCode
    } of partitions) {
      const own = { topic, partition }
      if (errorCode !== 0) failed.push({ ...own, error: failureOf(errorCode, groupID, own) })
      else if (committedOffset >= 0n) {
        const position = { offset: committedOffset, leaderEpoch: committedLeaderEpoch, topicID: topicIDOf(metadata) }
        found.push({ ...own, ...position })
      }
    }
  }
  return { found, failed }
}

function failureOf(errorCode: number, groupID: string, { topic, partition }: TopicPartition): KafkaError {
  const error = protocolError(errorCode, `reading the offset of ${topic}/${partition}`)
  if (error.code !== unstable) return error
  const message =
    `a transaction with the offset of group ${groupID} in ${topic}/${partition} is still open. ` +
    'If this persists, look for a hanging transaction in __consumer_offsets (kafka-transactions.sh find-hanging)'
  return new KafkaError(unstable, message, { retryable: true })
}

/** Returns the last committed offsets of a group in all topics. Open transactions are ignored. */
export async function lastCommittedOffsets(cluster: Cluster, groupID: string): Promise<CommittedOffset[]> {
  const question = [{ groupId: groupID, memberId: null, memberEpoch: -1, topics: null }]
  const response = await cluster.askCoordinator('group', groupID, offsetFetchV9.api, question, false)
  const [group] = response.groups
  checkCode(group?.errorCode ?? 0, `reading the offsets of group ${groupID}`)
  return (group?.topics ?? []).flatMap(({ name, partitions }) =>
    partitions
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, committedOffset, committedLeaderEpoch, metadata }) => ({
        ...{ topic: name, partition: partitionIndex, offset: committedOffset },
        ...{ leaderEpoch: committedLeaderEpoch, topicID: topicIDOf(metadata) }
      }))
  )
}

/**
 * Commits offsets outside a transaction. @throws KafkaError, also if the group has changed
 * (`ILLEGAL_GENERATION`, …)
 */
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
