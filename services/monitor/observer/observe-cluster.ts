import { findHangingTransactions, type KafkaInspector } from '@orderly/kafka'
import type { HeldPartitions } from '../domain/held-partitions.ts'
import { chooseGroups, type Group, type Lag, type Observation, retentionMsOf } from '../domain/observation.ts'

export interface ObserveOptions {
  readonly hangingAfterMs: number
  readonly heldPartitions: HeldPartitions
  readonly ignoredGroups: readonly string[]
  readonly maxGroups: number
}

const retentionConfigs = ['cleanup.policy', 'retention.ms']

/**
 * Observes the cluster once. The permission to describe topics, groups and transactions suffices.
 * @throws KafkaError if a request fails
 */
export async function observeCluster(inspector: KafkaInspector, options: ObserveOptions): Promise<Observation> {
  const quorum = await inspector.quorum()
  const described = await inspector.topics()
  const names = described.filter(({ isInternal }) => !isInternal).map(({ name }) => name)
  const configs = await inspector.topicConfigs(names, retentionConfigs)
  const topics = described.map(topic => ({ ...topic, retentionMs: retentionMsOf(configs.get(topic.name)) }))
  const places = topics
    .filter(({ isInternal }) => !isInternal)
    .flatMap(({ name, partitions }) =>
      // Only leaders return offsets, so partitions without one are skipped.
      partitions.filter(({ leaderID }) => leaderID >= 0).map(({ partition }) => ({ topic: name, partition }))
    )
  // Last stable offsets are read last, so that records written meanwhile do not count as held up.
  const ends = await inspector.offsets(places, 'end')
  const stableEnds = await inspector.offsets(places, 'stable-end')
  const partitions = places.flatMap((place, index) => {
    const [endOffset, stableOffset] = [ends[index]?.offset, stableEnds[index]?.offset]
    return endOffset === undefined || stableOffset === undefined ? [] : [{ ...place, endOffset, stableOffset }]
  })
  const { chosen, leftOut } = chooseGroups(await inspector.groups(), {
    ignored: options.ignoredGroups,
    max: options.maxGroups
  })
  const groups: Group[] = []
  const lags: Lag[] = []
  for (const groupID of chosen) {
    const group = await inspector.group(groupID)
    groups.push({ groupID, members: group.members.length })
    lags.push(...(await inspector.lag(group)))
  }
  const openTransactions = await inspector.openTransactions()
  const seen = { atMs: Date.now(), partitions, openTransactions }
  // The producers that hold partitions are not described, which needs the permission to read.
  const known = { partitions: places, open: openTransactions, heldBefore: [], heldAfter: [], nowMs: seen.atMs }
  const hangingTransactions = [
    ...findHangingTransactions(known, { afterMs: options.hangingAfterMs }),
    ...options.heldPartitions.observe(seen)
  ]
  return { ...seen, lags, groups, groupsLeftOut: leftOut, topics, hangingTransactions, ...quorum }
}
