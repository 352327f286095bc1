/** State of the cluster at one time, from which all cluster metrics are computed. */
export interface Observation {
  readonly atMs: number
  readonly lags: readonly Lag[]
  readonly groups: readonly Group[]
  /** Number of groups that were not observed because of the limit. */
  readonly groupsLeftOut: number
  readonly partitions: readonly Partition[]
  readonly topics: readonly Topic[]
  readonly openTransactions: readonly OpenTransaction[]
  readonly hangingTransactions: readonly HangingTransaction[]
  readonly brokerIDs: readonly number[]
  readonly controllerID: number | undefined
  readonly controllerEpoch: number
}

export interface OpenTransaction {
  readonly startedAtMs: number
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
}

export const hangingKinds = ['open', 'overdue', 'forgotten'] as const
export type HangingKind = (typeof hangingKinds)[number]

export interface HangingTransaction {
  readonly kind: HangingKind
  readonly partitions: readonly { readonly topic: string }[]
}

export interface Group {
  readonly groupID: string
  readonly members: number
}

export interface Lag {
  readonly groupID: string
  readonly topic: string
  readonly partition: number
  readonly lagRecords: number
  /** Timestamp of the oldest unprocessed record; undefined if the group has no lag. */
  readonly waitingSinceMs: number | undefined
}

export interface Partition {
  readonly topic: string
  readonly partition: number
  readonly endOffset: bigint
  readonly stableOffset: bigint
}

export interface Topic {
  readonly name: string
  /** True for internal topics of Kafka. */
  readonly isInternal: boolean
  /** Undefined if the topic keeps its records without a time limit. */
  readonly retentionMs: number | undefined
  readonly partitions: readonly {
    readonly leaderID: number
    readonly replicaIDs: readonly number[]
    readonly inSyncReplicaIDs: readonly number[]
  }[]
}

/** Returns the age of the oldest unprocessed record. Never negative, even if clocks differ. */
export function lagSeconds({ waitingSinceMs }: Pick<Lag, 'waitingSinceMs'>, atMs: number): number {
  return waitingSinceMs === undefined ? 0 : Math.max(0, atMs - waitingSinceMs) / 1_000
}

/**
 * Returns the retention time of a topic from its configuration; undefined if it is compacted only
 * or keeps all records.
 */
export function retentionMsOf(config: ReadonlyMap<string, { readonly value: string }> | undefined): number | undefined {
  const policies = config?.get('cleanup.policy')?.value.split(',') ?? []
  const retentionMs = Number(config?.get('retention.ms')?.value ?? -1)
  return policies.includes('delete') && retentionMs >= 0 ? retentionMs : undefined
}

/**
 * Returns the number of records that open transactions hide from committed reads: high watermark
 * minus last stable offset.
 */
export function recordsHeldUp({ endOffset, stableOffset }: Pick<Partition, 'endOffset' | 'stableOffset'>): number {
  return endOffset > stableOffset ? Number(endOffset - stableOffset) : 0
}

export interface Replication {
  readonly underReplicated: number
  readonly offline: number
}

/**
 * Counts under-replicated and offline partitions. A partition without a leader counts as offline
 * only.
 */
export function replicationOf(topics: readonly Pick<Topic, 'partitions'>[]): Replication {
  const partitions = topics.flatMap(topic => topic.partitions)
  const isOffline = ({ leaderID }: { leaderID: number }) => leaderID < 0
  const lacks = (each: (typeof partitions)[number]) => each.inSyncReplicaIDs.length < each.replicaIDs.length
  return {
    underReplicated: partitions.filter(each => !isOffline(each) && lacks(each)).length,
    offline: partitions.filter(isOffline).length
  }
}

/**
 * Counts hanging transactions by kind and observed topic. A transaction counts in every topic that
 * it has written to.
 */
export function hangingByTopic({
  partitions,
  hangingTransactions
}: Pick<Observation, 'partitions' | 'hangingTransactions'>): { kind: HangingKind; topic: string; count: number }[] {
  const topics = new Set(partitions.map(({ topic }) => topic))
  return [...topics].flatMap(topic => {
    const own = hangingTransactions.filter(({ partitions }) => partitions.some(each => each.topic === topic))
    return hangingKinds.map(kind => ({ kind, topic, count: own.filter(each => each.kind === kind).length }))
  })
}

export function oldestTransactionSeconds({
  openTransactions,
  atMs
}: Pick<Observation, 'openTransactions' | 'atMs'>): number {
  return openTransactions.reduce((oldest, { startedAtMs }) => Math.max(oldest, atMs - startedAtMs), 0) / 1_000
}

/** Chooses the groups to observe, in the given order, and counts the ones above the limit. */
export function chooseGroups(
  groupIDs: readonly string[],
  { ignored, max }: { readonly ignored: readonly string[]; readonly max: number }
): { readonly chosen: readonly string[]; readonly leftOut: number } {
  const wanted = groupIDs.filter(groupID => !ignored.some(beginning => groupID.startsWith(beginning)))
  return { chosen: wanted.slice(0, max), leftOut: Math.max(0, wanted.length - max) }
}
