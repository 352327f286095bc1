import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import { toKafkaError } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import type { GroupDescription, GroupMemberDescription } from './groups.ts'
import { recordTimes } from './record-times.ts'
import { recordsIn } from './records-in.ts'
import { describeTopics } from './topics.ts'

/**
 * Lag of a group in a partition.
 *
 * Markers at the end of transactions have offsets, too. A stage commits the position after them
 * within a second, so a stage that has processed everything has no lag, and its lag is known from
 * offsets alone. Other clients, such as Kafka Connect, leave markers and aborted records
 * uncommitted. Whether a record follows is then read.
 */
export interface PartitionLag extends TopicPartition {
  readonly groupID: string
  /** Next record that the group reads; undefined when it has committed nothing here yet. */
  readonly committedOffset: bigint | undefined
  readonly beginningOffset: bigint
  /** Last stable offset, up to which `read_committed` consumers read. */
  readonly stableOffset: bigint
  readonly endOffset: bigint
  /**
   * Number of offsets to be processed, including markers of transactions and records of open
   * transactions.
   */
  readonly lagRecords: number
  /** Timestamp of the oldest pending record; undefined if none is pending. */
  readonly waitingSinceMs: number | undefined
  readonly member: GroupMemberDescription | undefined
}

/** Topics that this account may not read, so that each is tried once. */
export type UnreadableTopics = Set<string>

type Counted = Omit<PartitionLag, 'waitingSinceMs'> & { readonly position: bigint }

/**
 * Returns the lag of a group in every partition of the topics in which it has committed offsets or
 * assigned partitions. Omits deleted topics and partitions without a leader.
 */
export async function groupLag(
  cluster: Cluster,
  { groupID, members }: GroupDescription,
  unreadable: UnreadableTopics
): Promise<PartitionLag[]> {
  const committed = new Map((await lastCommittedOffsets(cluster, groupID)).map(own => [partitionKey(own), own]))
  const owners = new Map<string, GroupMemberDescription>()
  for (const member of members) for (const owned of member.partitions) owners.set(partitionKey(owned), member)
  const assigned = members.flatMap(({ partitions }) => partitions)
  const names = new Set([...committed.values(), ...assigned].map(({ topic }) => topic))
  if (names.size === 0) return []
  const partitions = (await describeTopics(cluster, [...names])).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition }))
  )
  // Query the ends last: records written meanwhile may increase the lag, but never make it
  // negative.
  const offsets = new Map<string, bigint[]>()
  for (const spec of [offsetAt.beginning, offsetAt.stableEnd, offsetAt.end]) {
    const { found } = await findOffsets(cluster, partitions, spec)
    for (const { offset, ...own } of found)
      offsets.set(partitionKey(own), [...(offsets.get(partitionKey(own)) ?? []), offset])
  }
  const counting = partitions.map(async (own): Promise<Counted[]> => {
    const key = partitionKey(own)
    const commit = committed.get(key)
    const [beginningOffset, stableOffset, endOffset] = offsets.get(key) ?? []
    if (beginningOffset === undefined || stableOffset === undefined || endOffset === undefined) return []
    const position = max(commit?.offset ?? beginningOffset, beginningOffset)
    const lagRecords = Number(max(endOffset - position, 0n))
    const ends = { beginningOffset, stableOffset, endOffset }
    const counted = { ...own, groupID, committedOffset: commit?.offset, ...ends, member: owners.get(key), position }
    // Only stages add the id of the topic to a commit.
    const mayBeAtMarkers = lagRecords > 0 && commit !== undefined && commit.topicID === undefined
    const isPending = !mayBeAtMarkers || (await isRecordPending(cluster, { ...counted, lagRecords }, unreadable))
    return [{ ...counted, lagRecords: isPending ? lagRecords : 0 }]
  })
  const counted = (await Promise.all(counting)).flat()
  const behind = counted.filter(({ lagRecords }) => lagRecords > 0)
  const positions = behind.map(({ topic, partition, position }) => ({ topic, partition, offset: position }))
  const times = await recordTimes(cluster, positions, Date.now())
  return counted.map(({ position, ...own }) => ({ ...own, waitingSinceMs: times.get(partitionKey(own)) }))
}

/**
 * Reads whether a record follows the committed offset of another client. Without the permission to
 * read, one offset counts as the marker that such a client leaves uncommitted.
 */
async function isRecordPending(cluster: Cluster, lag: Counted, unreadable: UnreadableTopics): Promise<boolean> {
  const { topic, position, stableOffset, endOffset, lagRecords } = lag
  const ranges = [
    { from: position, to: stableOffset, isolation: 'committed' },
    { from: max(position, stableOffset), to: endOffset, isolation: 'any' }
  ] as const
  if (!unreadable.has(topic)) {
    try {
      for (const range of ranges) for await (const _ of recordsIn(cluster, lag, range)) return true
      return false
    } catch (error) {
      if (toKafkaError(error, 'reading pending records').code !== 'TOPIC_AUTHORIZATION_FAILED') throw error
      unreadable.add(topic)
    }
  }
  return lagRecords > 1
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
