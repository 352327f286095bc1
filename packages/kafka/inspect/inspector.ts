import { Cluster } from '../cluster/cluster.ts'
import { type FoundOffsets, findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { KafkaConnection } from '../connection.ts'
import { type CommittedOffset, lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import type { PartitionPosition } from '../fetch/partition-state.ts'
import { retryKafka } from '../retry.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import { describeGroup, type GroupDescription, listGroups } from './groups.ts'
import { findHangingTransactions, type HangingTransaction } from './hanging-transactions.ts'
import { groupLag, type PartitionLag, type UnreadableTopics } from './lag.ts'
import { describeQuorum, type QuorumDescription } from './quorum.ts'
import {
  describeBrokerConfigs,
  describeTopicConfigs,
  describeTopics,
  type TopicConfig,
  type TopicDescription
} from './topics.ts'
import { type HeldPartition, heldPartitions, type OpenTransaction, openTransactions } from './transactions.ts'

/**
 * Read-only queries about a cluster, for operators. Each method retries transient errors for a
 * second or two, then throws a KafkaError.
 */
export interface KafkaInspector {
  /** Returns all visible topics, or the existing ones of these names, sorted by name. */
  topics(names?: readonly string[]): Promise<TopicDescription[]>
  /** Returns the live brokers and the controller. */
  quorum(): Promise<QuorumDescription>
  /**
   * Returns configurations by topic and name, limited to `names` if given. Topics that do not exist
   * are omitted.
   */
  topicConfigs(
    topics: readonly string[],
    names?: readonly string[]
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, TopicConfig>>>
  /** Returns the settings with these names, by broker and name. */
  brokerConfigs(names: readonly string[]): Promise<ReadonlyMap<number, ReadonlyMap<string, string>>>
  /**
   * Returns the offsets in the order of the partitions; undefined for one without a leader or whose
   * leader does not answer. With a time, returns the offset of the first record at or after it, or
   * -1.
   */
  offsets(
    partitions: readonly TopicPartition[],
    at: 'beginning' | 'stable-end' | 'end' | { readonly timeMs: number }
  ): Promise<readonly (PartitionPosition | undefined)[]>
  /** Returns the names of all consumer groups, sorted. */
  groups(): Promise<string[]>
  /** Returns the last committed offsets of a group. Open transactions are ignored. */
  committedOffsets(groupID: string): Promise<CommittedOffset[]>
  /**
   * Returns the state and the members of a group. A group that does not exist has the state `Dead`.
   */
  group(groupID: string): Promise<GroupDescription>
  /** Returns the lag of a group in each partition that it reads or has read. */
  lag(group: GroupDescription): Promise<PartitionLag[]>
  /** Returns the open transactions of all coordinators, the oldest first. */
  openTransactions(): Promise<OpenTransaction[]>
  /** Returns those of the partitions in which records wait behind an open transaction. */
  heldPartitions(partitions: readonly TopicPartition[]): Promise<HeldPartition[]>
  /**
   * Returns the transactions that write to these partitions and are open for `afterMs` or longer,
   * or forgotten by their coordinator.
   */
  hangingTransactions(
    partitions: readonly TopicPartition[],
    options: { readonly afterMs: number }
  ): Promise<HangingTransaction[]>
  /** Closes its connections. */
  close(): Promise<void>
}

const attempts = 5
/**
 * Number of request timeouts after which retries stop. A frozen broker would otherwise block the
 * caller for a minute.
 */
const patientTimeouts = 2
const backoff = { initialMs: 100, maxMs: 400, jitter: 0 }

/** Creates an inspector, which keeps its connections until it is closed. */
export function createInspector(
  connection: KafkaConnection,
  { requestTimeoutMs = 10_000 }: { requestTimeoutMs?: number } = {}
): KafkaInspector {
  const cluster = new Cluster(connection, { requestTimeoutMs })

  function ask<Result>(doing: string, question: () => Promise<Result>): Promise<Result> {
    const timeoutMs = patientTimeouts * requestTimeoutMs
    return retryKafka(doing, question, { ...backoff, attempts, timeoutMs, onRetry: () => cluster.forget() })
  }

  const specOf = (at: Parameters<KafkaInspector['offsets']>[1]) => {
    if (typeof at === 'object') return offsetAt.time(at.timeMs)
    return at === 'beginning' ? offsetAt.beginning : at === 'end' ? offsetAt.end : offsetAt.stableEnd
  }

  const unreadable: UnreadableTopics = new Set()
  const inspector: KafkaInspector = {
    topics: names => ask('describing topics', () => describeTopics(cluster, names)),
    quorum: () => ask('describing the quorum', () => describeQuorum(cluster)),
    topicConfigs: (topics, names) =>
      ask('reading configurations of topics', () => describeTopicConfigs(cluster, topics, names)),
    brokerConfigs: names => ask('reading settings of brokers', () => describeBrokerConfigs(cluster, names)),
    async offsets(partitions, at) {
      let answer: FoundOffsets | undefined
      const askAll = async () => {
        answer = await findOffsets(cluster, partitions, specOf(at))
        if (answer.failed[0] !== undefined) throw answer.failed[0].error
      }
      await ask('reading offsets', askAll).catch(error => {
        if (answer === undefined || answer.found.length === 0) throw error
      })
      const found = new Map(answer?.found.map(own => [partitionKey(own), own]))
      return partitions.map(own => found.get(partitionKey(own)))
    },
    groups: () => ask('listing groups', () => listGroups(cluster)),
    committedOffsets: groupID => ask(`reading the offsets of ${groupID}`, () => lastCommittedOffsets(cluster, groupID)),
    group: groupID => ask(`describing group ${groupID}`, () => describeGroup(cluster, groupID)),
    lag: group => ask(`reading the lag of ${group.groupID}`, () => groupLag(cluster, group, unreadable)),
    openTransactions: () => ask('listing transactions', () => openTransactions(cluster)),
    heldPartitions: partitions => ask('finding held partitions', () => heldPartitions(cluster, partitions)),
    async hangingTransactions(partitions, options) {
      const heldBefore = await inspector.heldPartitions(partitions)
      const open = await inspector.openTransactions()
      const heldAfter = heldBefore.length === 0 ? [] : await inspector.heldPartitions(heldBefore)
      return findHangingTransactions({ partitions, heldBefore, open, heldAfter, nowMs: Date.now() }, options)
    },
    close: () => cluster.close()
  }
  return inspector
}
