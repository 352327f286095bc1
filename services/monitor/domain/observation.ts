/** What was seen of the cluster in one look at it. Everything else is made of this. */
export interface Observation {
  readonly atMs: number
  readonly lags: readonly Lag[]
  readonly groups: readonly Group[]
  /** Groups that were not looked at because there are too many. */
  readonly groupsLeftOut: number
  readonly partitions: readonly Partition[]
  readonly topics: readonly Topic[]
  readonly openTransactions: readonly { readonly startedAtMs: number }[]
  readonly hangingTransactions: readonly HangingTransaction[]
  readonly brokerIDs: readonly number[]
  readonly controllerID: number | undefined
  readonly controllerEpoch: number
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
  /** When the record that waits longest was written; undefined when none waits. */
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
  /** One of Kafka's own. */
  readonly isInternal: boolean
  /** Undefined where the topic keeps its records for ever. */
  readonly retentionMs: number | undefined
  readonly partitions: readonly {
    readonly leaderID: number
    readonly replicaIDs: readonly number[]
    readonly inSyncReplicaIDs: readonly number[]
  }[]
}

/** How long the record that waits longest has waited; clocks that disagree make it no less than nothing. */
export function lagSeconds({ waitingSinceMs }: Pick<Lag, 'waitingSinceMs'>, atMs: number): number {
  return waitingSinceMs === undefined ? 0 : Math.max(0, atMs - waitingSinceMs) / 1_000
}

/** Returns how long a topic keeps records, from its configuration; undefined when it keeps the newest of each key, or all. */
export function retentionMsOf(config: ReadonlyMap<string, { readonly value: string }> | undefined): number | undefined {
  const policies = config?.get('cleanup.policy')?.value.split(',') ?? []
  const retentionMs = Number(config?.get('retention.ms')?.value ?? -1)
  return policies.includes('delete') && retentionMs >= 0 ? retentionMs : undefined
}

/** How far readers of committed records are held up: behind the high watermark. */
export function recordsHeldUp({ endOffset, stableOffset }: Pick<Partition, 'endOffset' | 'stableOffset'>): number {
  return endOffset > stableOffset ? Number(endOffset - stableOffset) : 0
}

export interface Replication {
  readonly underReplicated: number
  readonly offline: number
}

/** A partition without a leader is offline, and not counted as under-replicated as well. */
export function replicationOf(topics: readonly Pick<Topic, 'partitions'>[]): Replication {
  const partitions = topics.flatMap(topic => topic.partitions)
  const isOffline = ({ leaderID }: { leaderID: number }) => leaderID < 0
  const lacks = (each: (typeof partitions)[number]) => each.inSyncReplicaIDs.length < each.replicaIDs.length
  return {
    underReplicated: partitions.filter(each => !isOffline(each) && lacks(each)).length,
    offline: partitions.filter(isOffline).length
  }
}

/** How many transactions of each kind hold up readers of each topic that is looked at: one that has written to several counts in each. */
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

export function oldestTransactionSeconds({ openTransactions, atMs }: Observation): number {
  return openTransactions.reduce((oldest, { startedAtMs }) => Math.max(oldest, atMs - startedAtMs), 0) / 1_000
}

/** Those to look at, in their order, and how many are one too many. */
export function chooseGroups(
  groupIDs: readonly string[],
  { ignored, max }: { readonly ignored: readonly string[]; readonly max: number }
): { readonly chosen: readonly string[]; readonly leftOut: number } {
  const wanted = groupIDs.filter(groupID => !ignored.some(beginning => groupID.startsWith(beginning)))
  return { chosen: wanted.slice(0, max), leftOut: Math.max(0, wanted.length - max) }
}
