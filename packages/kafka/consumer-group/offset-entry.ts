/** Next record that a group reads in a partition. */
export interface InputOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Leader epoch of the preceding record; -1 or absent when it is unknown. */
  readonly leaderEpoch?: number
  /** Id of the topic that the offset belongs to; absent when it is unknown. */
  readonly topicID?: string | undefined
}

/**
 * Converts offsets to the format of OffsetCommit and TxnOffsetCommit, grouped by topic. Kafka
 * stores a leader epoch with an offset but no topic id, so the id goes into the metadata text of
 * the commit. It identifies offsets that outlive their topic.
 */
export function toCommitEntries(offsets: readonly InputOffset[]) {
  return [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, own]) => ({
    name,
    partitions: own.map(({ partition, offset, leaderEpoch = -1, topicID }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: topicID === undefined ? '' : `${topicIDPrefix}${topicID}`
    }))
  }))
}

/**
 * Returns the topic id in the metadata of a commit; undefined for an offset that no stage has
 * committed.
 */
export function topicIDOf(metadata: string | null | undefined): string | undefined {
  return metadata?.startsWith(topicIDPrefix) === true ? metadata.slice(topicIDPrefix.length) : undefined
}

const topicIDPrefix = 'topic-id='
