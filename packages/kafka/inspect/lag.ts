import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { TopicPartition } from '../consumer-group/assignment.ts'
import { lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import type { GroupDescription, GroupMemberDescription } from './groups.ts'
import { recordTimes } from './record-times.ts'
import { describeTopics } from './topics.ts'

/**
 * Lag of a group in a partition, from offsets alone: nothing is read, so the permission to describe a topic suffices.
 *
 * Markers at the end of transactions have offsets, too. A stage commits the position behind them within a second, so a stage that has
 * processed everything has no lag. Other clients, such as Kafka Connect, leave the marker behind their last record uncommitted: one
 * offset behind what they committed does not count as lag.
 */
export interface PartitionLag extends TopicPartition {
  readonly groupID: string
  /** Next record that the group reads; undefined when it has committed nothing here yet. */
  readonly committedOffset: bigint | undefined
  readonly beginningOffset: bigint
  /** Last stable offset, up to which `read_committed` consumers read. */
  readonly stableOffset: bigint
  readonly endOffset: bigint
  /** Number of offsets to be processed, markers of transactions and records of open transactions included. */
  readonly lagRecords: number
  /** Timestamp of the oldest pending record; undefined if none is pending. */
  readonly waitingSinceMs: number | undefined
  readonly member: GroupMemberDescription | undefined
}

/**
 * Returns the lag of a group in every partition of the topics in which it has committed offsets or
 * assigned partitions. Omits deleted topics and partitions without a leader.
 */
export async function groupLag(cluster: Cluster, group: GroupDescription): Promise<PartitionLag[]> {
  const { groupID, members } = group
  const committed = new Map(
    (await lastCommittedOffsets(cluster, groupID)).map(({ offset, ...own }) => [placeOf(own), { offset, ...own }])
  )
  const owners = new Map<string, GroupMemberDescription>()
  for (const member of members) for (const owned of member.partitions) owners.set(placeOf(owned), member)
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
    for (const { offset, ...own } of found) offsets.set(placeOf(own), [...(offsets.get(placeOf(own)) ?? []), offset])
  }
  const found = partitions.flatMap((own): Omit<PartitionLag, 'waitingSinceMs'>[] => {
    const place = placeOf(own)
    const commit = committed.get(place)
    const [beginningOffset, stableOffset, endOffset] = offsets.get(place) ?? []
    if (beginningOffset === undefined || stableOffset === undefined || endOffset === undefined) return []
    const position = max(commit?.offset ?? beginningOffset, beginningOffset)
    const waiting = Number(max(endOffset - position, 0n))
    const isMarker = waiting === 1 && commit !== undefined && !isOfStage(commit)
    const lagRecords = isMarker ? 0 : waiting
    const ends = { beginningOffset, stableOffset, endOffset }
    return [{ ...own, groupID, committedOffset: commit?.offset, ...ends, lagRecords, member: owners.get(place) }]
  })
  const behind = found.filter(({ lagRecords }) => lagRecords > 0)
  const positions = behind.map(({ topic, partition, committedOffset, beginningOffset }) => ({
    ...{ topic, partition, offset: max(committedOffset ?? beginningOffset, beginningOffset) }
  }))
  const times = await recordTimes(cluster, positions, Date.now())
  return found.map(own => ({ ...own, waitingSinceMs: times.get(placeOf(own)) }))
}

/** Returns true for an offset that a stage has committed: no other client adds the id of the topic. */
function isOfStage({ topicID }: { readonly topicID: string | undefined }): boolean {
  return topicID !== undefined
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
