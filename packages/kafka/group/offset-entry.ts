/** The next record that a group reads in a partition. */
export interface InputOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Leader epoch of the record before it; -1 or absent when it is unknown. */
  readonly leaderEpoch?: number
  /** Topic that the offset belongs to; absent when it is unknown. */
  readonly topicID?: string | undefined
}

/**
 * Offsets as OffsetCommit and TxnOffsetCommit take them, by topic. Kafka stores a leader epoch with an offset, but no topic id; it is put
 * into the metadata, the text that a commit may carry. An offset that outlives its topic is recognized by that.
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

/** Undefined for an offset that no stage has committed. */
export function topicIDOf(metadata: string | null | undefined): string | undefined {
  return metadata?.startsWith(topicIDPrefix) === true ? metadata.slice(topicIDPrefix.length) : undefined
}

const topicIDPrefix = 'topic-id='
