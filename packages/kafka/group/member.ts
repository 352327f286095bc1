import { setTimeout as delay } from 'node:timers/promises'
import { heartbeatV4, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { checkCode, type KafkaError, toKafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import type { GroupIdentity } from '../transaction/transactional-producer.ts'
import {
  assignPartitions,
  decodeAssignment,
  decodeSubscribedTopics,
  encodeAssignment,
  encodeSubscription,
  type TopicPartition
} from './assignment.ts'
import { describeShapes, lookUpShapes, type TopicShapes } from './topic-shapes.ts'

/**
 * A member of a consumer group (the classic protocol, eager: everybody gives everything up before it is dealt out anew).
 *
 * States: **outside** → `join` → **inside**, where heartbeats go out → the group wants to rebalance, or has forgotten us →
 * **due** (`mustRejoin`), still with heartbeats, for as long as the owner needs to finish or abort what it has under way →
 * `join` … → `leave` → **outside**. A static member (one with an instance id, KIP-345) whose place another process took is
 * **fenced** and must not come back.
 *
 * Every member watches the shape of its topics. When partitions were added, or a topic was created (again), it joins again and says
 * what it knows in its subscription, whereupon the coordinator lets the leader deal the partitions out. A topic that cannot be
 * looked up has no partitions until it can; only when none can does joining fail.
 *
 * The client's own consumer rejoins the moment a heartbeat says so, and leaves nobody the time to finish a transaction.
 */
export interface GroupMemberOptions {
  readonly groupID: string
  readonly instanceID: string | null
  readonly topics: readonly string[]
  /** Another cluster than the one that asks the group: a join holds up the requests behind it on its connection. */
  readonly metadata: Cluster
  readonly sessionTimeoutMs: number
  /** How long the others wait for this member to finish what it has under way. */
  readonly rebalanceTimeoutMs: number
  readonly logger: Logger
  /** Called when `mustRejoin` or `failure` changed. */
  readonly onChange: () => void
  readonly onPartitionsAdded?: (event: PartitionsAdded) => void
}

/** A topic has more partitions than when its members last joined. */
export interface PartitionsAdded {
  readonly topic: string
  readonly from: number
  readonly to: number
}

const protocolType = 'consumer'
const protocolName = 'orderly-roundrobin'
const memberIDRequired = 79
const retryDelayMs = 100

export class GroupMember {
  readonly #cluster: Cluster
  readonly #options: GroupMemberOptions
  #memberID = ''
  #generation = -1
  #mustRejoin = true
  #failure: KafkaError | undefined
  #heartbeating: AbortController | undefined
  /** As they were when this member joined. */
  #shapes: TopicShapes = { found: new Map(), failed: new Map() }
  #isWatching = false

  constructor(cluster: Cluster, options: GroupMemberOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  get mustRejoin(): boolean {
    return this.#mustRejoin
  }

  /** Set when this member was fenced. */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  get identity(): GroupIdentity {
    const { groupID, instanceID } = this.#options
    return { groupID, memberID: this.#memberID, instanceID, generation: this.#generation }
  }

  /** What a commit was refused with may concern the membership. @returns whether it did */
  noticeRefusal(code: string): boolean {
    if (!['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS'].includes(code)) return false
    this.#lose(code)
    return true
  }

  /**
   * Joins, or joins again, and waits for the partitions. Keeps trying while that may help.
   * @throws KafkaError `FENCED`, or the broker's final refusal (`GROUP_AUTHORIZATION_FAILED`, …); whatever aborted the signal.
   */
  async join(signal: AbortSignal): Promise<readonly TopicPartition[]> {
    this.#heartbeating?.abort()
    for (;;) {
      signal.throwIfAborted()
      try {
        const partitions = await abortable(this.#join(), signal)
        this.#mustRejoin = false
        this.#startHeartbeats()
        return partitions
      } catch (thrown) {
        const error = toKafkaError(thrown, `joining group ${this.#options.groupID}`)
        signal.throwIfAborted()
        if (error.code === 'UNKNOWN_MEMBER_ID') this.#memberID = ''
        else if (!error.retryable && !['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'].includes(error.code)) throw error
        this.#options.logger.debug({ error }, 'joining failed; trying again')
        if (error.code !== 'REBALANCE_IN_PROGRESS') await delay(retryDelayMs)
        this.#cluster.forget()
      }
    }
  }

  /**
   * Gives the place up, so that the others need not wait for the session to time out.
   * @param cluster another one than that on which a join that was given up may still hold up whatever comes behind it
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
    return [...assignment].map(([memberId, partitions]) => ({ memberId, assignment: encodeAssignment(partitions) }))
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

  /** Joins again when the topics have changed. Facts of the cluster expire, so a change is noticed within their age. */
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
      const consequence = 'records of one key may be processed out of their order across the change'
      logger.warn({ event: 'partitions_added', group, ...added }, `partitions were added: ${consequence}`)
      onPartitionsAdded?.(added)
    }
    for (const [topic, error] of failed) {
      if (this.#shapes.failed.get(topic)?.code === error.code) continue
      const fields = { event: 'topic_unavailable', group, topic, code: error.code, error }
      logger.warn(fields, 'a topic cannot be looked up; trying again, the others are read')
    }
  }

  #onHeartbeatFailure(error: KafkaError): void {
    if (error.code === 'FENCED') {
      this.#heartbeating?.abort()
      this.#failure = error
      this.#options.onChange()
    } else if (!this.noticeRefusal(error.code)) {
      // The coordinator is away or has moved. Should it forget us meanwhile, its next answer says so.
      this.#cluster.forget()
      this.#options.logger.debug({ error }, 'heartbeat failed; trying again')
    }
  }

  #lose(code: string): void {
    if (code === 'UNKNOWN_MEMBER_ID') this.#memberID = ''
    if (this.#mustRejoin) return
    this.#mustRejoin = true
    this.#options.onChange()
  }
}

/** The cluster answered that the topic is not there for this client; anything else says nothing about the topic. */
function isAnswer({ code }: KafkaError): boolean {
  return ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'].includes(code)
}

/** Joining waits for the slowest member; whoever stops meanwhile need not. */
function abortable<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
