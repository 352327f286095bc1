import { setTimeout as delay } from 'node:timers/promises'
import { heartbeatV4, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { checkCode, type KafkaError, toKafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import { retryKafka } from '../retry.ts'
import type { GroupIdentity, TopicPartition } from '../types.ts'
import {
  assignPartitions,
  decodeAssignment,
  decodeNewTopics,
  decodeSubscribedTopics,
  encodeAssignment,
  encodeSubscription
} from './assignment.ts'
import { lastCommittedOffsets } from './committed-offsets.ts'
import { describeShapes, lookUpShapes, type TopicShapes } from './topic-shapes.ts'

export interface GroupMemberOptions {
  readonly groupID: string
  readonly instanceID: string | null
  readonly topics: readonly string[]
  /**
   * Cluster for lookups of topics. Must differ from the one used for the group, because a join
   * blocks later requests on its connection.
   */
  readonly metadata: Cluster
  readonly sessionTimeoutMs: number
  /** Maximum time for which the other members wait for this one to finish its in-flight work. */
  readonly rebalanceTimeoutMs: number
  /** True if the leader must find the topics in which the group has no offset. */
  readonly findsNewTopics?: boolean
  readonly logger: Logger
  /** Called when `mustRejoin` or `failure` changed. */
  readonly onChange: () => void
  readonly onPartitionsAdded?: (event: PartitionsAdded) => void
}

/** Growth of a topic since its members last joined. */
export interface PartitionsAdded {
  readonly topic: string
  readonly from: number
  readonly to: number
}

const protocolType = 'consumer'
const protocolName = 'orderly-roundrobin'
const memberIDRequired = 79
const retryDelayMs = 100
/** Errors that are not `retryable` for the same request, but after another join. */
const rejoinable = new Set(['UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'])

/**
 * A member of a consumer group (classic protocol, eager: all members revoke all partitions before
 * each assignment).
 *
 * States: **outside** → `join` → **inside** → **due** (`mustRejoin`) → `join` … → `leave` →
 * **outside**. A member sends heartbeats while inside. It becomes due when the group rebalances or
 * has removed this member. A due member continues its heartbeats until its owner has finished or
 * aborted its in-flight work. A static member (with an instance id, KIP-345) that another process
 * has replaced is **fenced** and must not rejoin.
 *
 * Every member watches its topics. When partitions were added or a topic was (re)created, it
 * rejoins with the new topic facts in its subscription. The coordinator then lets the leader assign
 * the partitions again. A topic whose lookup fails has no partitions until it succeeds; joining
 * fails only if all lookups fail.
 *
 * The client library's consumer rejoins immediately on a heartbeat response, which leaves no time
 * to finish a transaction.
 */
export class GroupMember {
  readonly #cluster: Cluster
  readonly #options: GroupMemberOptions
  #memberID = ''
  #generation = -1
  #mustRejoin = true
  #failure: KafkaError | undefined
  #heartbeating: AbortController | undefined
  /** Shapes of the topics at the last join of this member. */
  #shapes: TopicShapes = { found: new Map(), failed: new Map() }
  #isWatching = false
  #newTopics: readonly string[] = []

  constructor(cluster: Cluster, options: GroupMemberOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  get mustRejoin(): boolean {
    return this.#mustRejoin
  }

  /** Error of a fenced member. */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /**
   * Topics in which the group had no offset when the leader made the current assignment; empty
   * without `findsNewTopics`.
   */
  get newTopics(): readonly string[] {
    return this.#newTopics
  }

  get identity(): GroupIdentity {
    const { groupID, instanceID } = this.#options
    return { groupID, memberID: this.#memberID, instanceID, generation: this.#generation }
  }

  /**
   * Handles the error code of a failed commit. Returns true if it concerns the membership; then the
   * member must rejoin.
   */
  handleMembershipError(code: string): boolean {
    if (!['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS'].includes(code)) return false
    this.#lose(code)
    return true
  }

  /**
   * Joins or rejoins the group and waits for the assignment. Retries transient errors.
   *
   * @throws KafkaError `FENCED`, or a permanent error of the broker (`GROUP_AUTHORIZATION_FAILED`,
   * …); the signal's reason
   */
  async join(signal: AbortSignal): Promise<readonly TopicPartition[]> {
    this.#heartbeating?.abort()
    signal.throwIfAborted()
    try {
      const partitions = await retryKafka(
        `joining group ${this.#options.groupID}`,
        () => abortable(this.#join(), signal),
        {
          initialMs: retryDelayMs,
          jitter: 0,
          signal,
          isTransient: error => error.retryable || rejoinable.has(error.code),
          delayMs: error => (error.code === 'REBALANCE_IN_PROGRESS' ? 0 : undefined),
          onRetry: error => {
            if (error.code === 'UNKNOWN_MEMBER_ID') this.#memberID = ''
            this.#options.logger.debug({ error }, 'join failed; retrying')
            this.#cluster.forget()
          }
        }
      )
      this.#mustRejoin = false
      this.#startHeartbeats()
      return partitions
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  }

  /**
   * Leaves the group, so that the others need not wait for the session timeout.
   *
   * @param cluster a cluster other than the one used for the group, where an aborted join may still
   * block later requests
   */
  async leave(cluster: Cluster): Promise<void> {
    this.#heartbeating?.abort()
    if (this.#memberID === '' || this.#failure !== undefined) return
    const { groupID, instanceID } = this.#options
    const member = { memberId: this.#memberID, groupInstanceId: instanceID, reason: 'stopping' }
    await cluster.askCoordinator('group', groupID, leaveGroupV5.api, groupID, [member])
  }

  async #join(): Promise<TopicPartition[]> {
    const { groupID, instanceID, topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const { metadata } = this.#options
    await metadata.refresh()
    const shapes = await lookUpShapes(metadata, topics)
    this.#reportChanges(shapes)
    const [failure] = shapes.failed.values()
    if (shapes.found.size === 0 && failure !== undefined) throw failure
    this.#shapes = shapes
    const protocols = [{ name: protocolName, metadata: encodeSubscription(topics, describeShapes(shapes)) }]
    const ask = (memberID: string) =>
      this.#cluster.askCoordinator(
        'group',
        groupID,
        joinGroupV9.api,
        groupID,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberID,
        instanceID,
        protocolType,
        protocols,
        null
      )
    let joined = await ask(this.#memberID)
    if (joined.errorCode === memberIDRequired) joined = await ask(joined.memberId) // KIP-394
    checkCode(joined.errorCode, `joining group ${groupID}`)
    this.#memberID = joined.memberId
    this.#generation = joined.generationId
    const assignments =
      joined.leader === joined.memberId && !joined.skipAssignment ? await this.#assign(joined.members) : []
    const synced = await this.#cluster.askCoordinator(
      'group',
      groupID,
      syncGroupV5.api,
      groupID,
      this.#generation,
      this.#memberID,
      instanceID,
      protocolType,
      protocolName,
      assignments
    )
    checkCode(synced.errorCode, `syncing group ${groupID}`)
    this.#newTopics = decodeNewTopics(synced.assignment)
    return decodeAssignment(synced.assignment)
  }

  async #assign(
    members: readonly { memberId: string; groupInstanceId?: string | null | undefined; metadata: Buffer }[]
  ) {
    const subscribers = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberID: memberId,
      instanceID: groupInstanceId ?? null,
      topics: decodeSubscribedTopics(metadata)
    }))
    const topics = new Set(subscribers.flatMap(({ topics }) => topics))
    const { found } = await lookUpShapes(this.#options.metadata, [...topics])
    const partitionCounts = new Map([...found].map(([topic, { partitions }]) => [topic, partitions]))
    const assignment = assignPartitions(subscribers, partitionCounts)
    const newTopics = await this.#findNewTopics([...topics])
    return [...assignment].map(([memberId, partitions]) => {
      return { memberId, assignment: encodeAssignment(partitions, newTopics) }
    })
  }

  async #findNewTopics(topics: readonly string[]): Promise<string[]> {
    const { findsNewTopics = false, groupID, metadata } = this.#options
    if (!findsNewTopics) return []
    const committed = new Set((await lastCommittedOffsets(metadata, groupID)).map(({ topic }) => topic))
    return topics.filter(topic => !committed.has(topic))
  }

  #startHeartbeats(): void {
    this.#heartbeating = new AbortController()
    void this.#heartbeat(this.#heartbeating.signal)
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { groupID, instanceID, sessionTimeoutMs } = this.#options
    const intervalMs = Math.max(100, Math.min(1_000, Math.floor(sessionTimeoutMs / 6)))
    for (;;) {
      await delay(intervalMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        const generation = this.#generation
        const { errorCode } = await this.#cluster.askCoordinator(
          'group',
          groupID,
          heartbeatV4.api,
          groupID,
          generation,
          this.#memberID,
          instanceID
        )
        if (signal.aborted) return
        checkCode(errorCode, `heartbeat of group ${groupID}`)
        void this.#watchTopics(signal)
      } catch (thrown) {
        if (signal.aborted) return
        this.#onHeartbeatFailure(toKafkaError(thrown, 'heartbeat'))
      }
    }
  }

  /**
   * Requests a rejoin when the topics have changed. Cached cluster facts expire, so a change is
   * detected within their maximum age.
   */
  async #watchTopics(signal: AbortSignal): Promise<void> {
    if (this.#isWatching) return
    this.#isWatching = true
    const shapes = await lookUpShapes(this.#options.metadata, this.#options.topics)
    this.#isWatching = false
    if (signal.aborted || ![...shapes.failed.values()].every(isAnswer)) return
    if (describeShapes(shapes) !== describeShapes(this.#shapes)) this.#lose('TOPICS_CHANGED')
  }

  #reportChanges({ found, failed }: TopicShapes): void {
    const { groupID: group, logger, onPartitionsAdded } = this.#options
    for (const [topic, { topicID, partitions }] of found) {
      const before = this.#shapes.found.get(topic)
      if (before?.topicID !== topicID || before.partitions >= partitions) continue
      const added = { topic, from: before.partitions, to: partitions }
      const consequence = 'records of one key may be processed out of order across the change'
      logger.warn({ event: 'partitions_added', group, ...added }, `partitions were added: ${consequence}`)
      onPartitionsAdded?.(added)
    }
    for (const [topic, error] of failed) {
      if (this.#shapes.failed.get(topic)?.code === error.code) continue
      const fields = { event: 'topic_unavailable', group, topic, code: error.code, error }
      logger.warn(fields, 'topic lookup failed; retrying while the others are read')
    }
  }

  #onHeartbeatFailure(error: KafkaError): void {
    if (error.code === 'FENCED') {
      this.#heartbeating?.abort()
      this.#failure = error
      this.#options.onChange()
    } else if (!this.handleMembershipError(error.code)) {
      // The coordinator is unavailable or has moved. If it removes this member meanwhile, its next
      // response reports that.
      this.#cluster.forget()
      this.#options.logger.debug({ error }, 'heartbeat failed; retrying')
    }
  }

  #lose(code: string): void {
    if (code === 'UNKNOWN_MEMBER_ID') this.#memberID = ''
    if (this.#mustRejoin) return
    this.#mustRejoin = true
    this.#options.onChange()
  }
}

/**
 * Returns true if the cluster reported that the topic is missing or not accessible; other errors
 * say nothing about the topic.
 */
function isAnswer({ code }: KafkaError): boolean {
  return ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'].includes(code)
}

/** Rejects as soon as the signal aborts. A join waits for the slowest member; a stop must not. */
function abortable<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
