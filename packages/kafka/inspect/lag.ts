import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { TopicPartition } from '../consumer-group/assignment.ts'
import { lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import { toKafkaError } from '../errors.ts'
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
  /** Number of offsets to be processed, markers of transactions and records of open transactions included. */
  readonly lagRecords: number
  /** Timestamp of the oldest pending record; undefined if none is pending. */
  readonly waitingSinceMs: number | undefined
  readonly member: GroupMemberDescription | undefined
}

type CountedLag = Omit<PartitionLag, 'waitingSinceMs' | 'lagRecords'> & { lagRecords: number }

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
  const found = partitions.flatMap((own): CountedLag[] => {
    const place = placeOf(own)
    const commit = committed.get(place)
    const [beginningOffset, stableOffset, endOffset] = offsets.get(place) ?? []
    if (beginningOffset === undefined || stableOffset === undefined || endOffset === undefined) return []
    const position = max(commit?.offset ?? beginningOffset, beginningOffset)
    const waiting = Number(max(endOffset - position, 0n))
    const ends = { beginningOffset, stableOffset, endOffset }
    return [
      { ...own, groupID, committedOffset: commit?.offset, ...ends, lagRecords: waiting, member: owners.get(place) }
    ]
  })
  const ofOthers = found.filter(own => own.lagRecords > 0 && isOfOther(committed.get(placeOf(own))))
  const atMarkers = await Promise.all(ofOthers.map(async own => ((await isRecordPending(cluster, own)) ? [] : [own])))
  for (const own of atMarkers.flat()) own.lagRecords = 0
  const behind = found.filter(({ lagRecords }) => lagRecords > 0)
  const positions = behind.map(({ topic, partition, committedOffset, beginningOffset }) => ({
    ...{ topic, partition, offset: max(committedOffset ?? beginningOffset, beginningOffset) }
  }))
  const times = await recordTimes(cluster, positions, Date.now())
  return found.map(own => ({ ...own, waitingSinceMs: times.get(placeOf(own)) }))
}

/** Returns true for an offset that a client other than a stage has committed: only stages add the id of the topic. */
function isOfOther(commit: { readonly topicID: string | undefined } | undefined): boolean {
  return commit !== undefined && commit.topicID === undefined
}

/**
 * Reads whether a record follows the committed offset of another client. Without the permission to
 * read, one offset counts as the marker that such a client leaves uncommitted.
 */
async function isRecordPending(cluster: Cluster, lag: Omit<PartitionLag, 'waitingSinceMs'>): Promise<boolean> {
  const { committedOffset, beginningOffset, stableOffset, endOffset } = lag
  const from = max(committedOffset ?? beginningOffset, beginningOffset)
  const ranges = [
    { from, to: stableOffset, isolation: 'committed' },
    { from: max(from, stableOffset), to: endOffset, isolation: 'any' }
  ] as const
  try {
    for (const range of ranges) for await (const _ of recordsIn(cluster, lag, range)) return true
    return false
  } catch (error) {
    if (toKafkaError(error, 'reading pending records').code !== 'TOPIC_AUTHORIZATION_FAILED') throw error
    return lag.lagRecords > 1
  }
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
