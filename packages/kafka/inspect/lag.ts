import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { TopicPartition } from '../group/assignment.ts'
import { lastCommittedOffsets } from '../group/committed-offsets.ts'
import { firstRecord } from './first-record.ts'
import type { GroupDescription, GroupMemberDescription } from './groups.ts'
import { describeTopics } from './topics.ts'

/**
 * Lag of a group in a partition.
 *
 * The difference of offsets is not the number of records, because the markers at the end of
 * transactions have offsets too. A group that has processed everything is therefore some offsets
 * before the end of a topic that is written in transactions. `groupLag` looks for a pending record
 * there; without one the lag is 0.
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
   * Upper bound of the number of pending records, including those of open transactions; the bound
   * may include markers.
   */
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
  const lags = partitions.map(async (own): Promise<PartitionLag[]> => {
    const place = placeOf(own)
    const committedOffset = committed.get(place)?.offset
    const [beginningOffset, stableOffset, endOffset] = offsets.get(place) ?? []
    if (beginningOffset === undefined || stableOffset === undefined || endOffset === undefined) return []
    const position = max(committedOffset ?? beginningOffset, beginningOffset)
    const waiting = await firstWaiting(cluster, own, position, stableOffset, endOffset)
    const lagRecords = waiting === undefined ? 0 : Number(max(endOffset - waiting.offset, 0n))
    const found = { ...own, groupID, committedOffset, beginningOffset, stableOffset, endOffset, lagRecords }
    return [{ ...found, waitingSinceMs: waiting?.timestampMs, member: owners.get(place) }]
  })
  return (await Promise.all(lags)).flat()
}

async function firstWaiting(
  cluster: Cluster,
  partition: TopicPartition,
  position: bigint,
  stableOffset: bigint,
  endOffset: bigint
): Promise<{ offset: bigint; timestampMs: number } | undefined> {
  const committed = { from: position, to: stableOffset, isolation: 'committed' } as const
  const open = { from: max(position, stableOffset), to: endOffset, isolation: 'any' } as const
  return (await firstRecord(cluster, partition, committed)) ?? firstRecord(cluster, partition, open)
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
