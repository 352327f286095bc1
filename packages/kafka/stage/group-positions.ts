import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { commitOffsets, lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { KafkaError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { LogChange } from '../fetch/log-changed.ts'
import type { PartitionProgress, SkippedRange } from '../fetch/partition-state.ts'
import { type GroupIdentity, partitionKey, type TopicPartition } from '../types.ts'
import { lostPositions } from './lost-positions.ts'
import { type Incident, type IncidentKind, type PositionAdvance, PositionConflictError } from './position-store.ts'
import { PositionTracker } from './position-tracker.ts'
import { refusalOf } from './refuse-start.ts'
import type { StagePositions } from './retry-processing.ts'
import type { StageObserver, StageOptions } from './stage.ts'
import { type Start, type Starts, startingPositions } from './starting-positions.ts'

const longestSaveMs = 1_000
const checkMs = 1_000
const idleCheckMs = 5_000

const incidentMessages: Readonly<Record<IncidentKind, string>> = {
  offsets_skipped: 'input records were removed before they were read',
  topic_recreated: 'input topic was deleted and recreated; reading it from its beginning',
  log_truncated: 'input log has lost records; resuming where it diverged',
  offsets_missing: 'committed offset of the group is missing or older than a previous one',
  database_behind: 'database has lost a stored position, and with it effects of committed records',
  partitions_added: 'input topic has a new partition; reading it from its beginning'
}

export interface GroupPositionsOptions extends Pick<StageOptions, 'isTransient' | 'logger' | 'positions' | 'startAt'> {
  readonly stageName: string
  readonly cluster: Cluster
  readonly observer: StageObserver
  /** Returns the identity of the group's member as of the last join. */
  readonly identity: () => GroupIdentity
  /** Returns the topics in which the group had no offset at the last join. */
  readonly newTopics: () => readonly string[]
  /** Called when offsets in these partitions now belong to other records. */
  readonly onReplaced: (partitions: readonly TopicPartition[]) => void
}

/**
 * Positions of a stage: decides where it starts, tracks and stores what it has processed and
 * committed, and reports detected incidents. Without a PositionStore only Kafka's offsets count.
 */
export class GroupPositions implements StagePositions {
  readonly #options: GroupPositionsOptions
  readonly #tracker = new PositionTracker()
  /** Ids of the input topics as of the last start. */
  readonly #topicIDs = new Map<string, string>()
  #checkedAtMs = Number.NEGATIVE_INFINITY
  /**
   * Truncation that the fetcher detected. The next start decides whether it affects processed
   * records.
   */
  #noticedTruncation: LogChange | undefined

  constructor(options: GroupPositionsOptions) {
    this.#options = options
  }

  /**
   * Decides the starting positions, reports detected incidents, and stores and commits the
   * resulting positions.
   */
  async start(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Starts> {
    const { positions: store, onReplaced } = this.#options
    const { starts, failed } = await this.#storing(() => this.decide(partitions, signal))
    const unread = this.#takeUnreadTruncation(starts)
    const incidents = [...starts.flatMap(({ incident }) => incident ?? []), ...unread]
    const refused = starts.filter(({ refusal }) => refusal !== undefined)
    const changes = refused.length > 0 ? [] : starts.flatMap(({ change }) => change ?? [])
    // A stored position is never before the committed one: commit first when moving back, store
    // first otherwise.
    const [back, onward] = partition(starts, ({ incident }) => incident?.kind === 'log_truncated')
    if (refused.length === 0) await this.#commitStarts(back)
    if (store !== undefined && changes.length + incidents.length > 0)
      await this.#storing(() => store.replace(changes, incidents))
    if (refused.length > 0) {
      this.#report(incidents)
      throw refusalOf(this.#options.identity().groupID, refused, store)
    }
    await this.#commitStarts(onward)
    onReplaced(incidents)
    this.#report(incidents)
    for (const { topic, topicID } of starts) this.#topicIDs.set(topic, topicID)
    this.#tracker.reset(starts)
    await this.#save(this.#tracker.unsavedCommits())
    return { starts, failed }
  }

  /** Decides the starting positions without changing anything. */
  decide(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Starts> {
    const { cluster, identity, positions: store, startAt = 'earliest', newTopics } = this.#options
    const policy = { startAt, newTopics: newTopics() }
    const known = { formerTopicIDs: this.#topicIDs, store }
    return startingPositions(cluster, identity(), partitions, { ...known, ...policy, signal })
  }

  /** Records a truncation that the fetcher detected. */
  noticeTruncation(change: LogChange): void {
    this.#noticedTruncation = change
  }

  covering(records: readonly FetchedRecord[]): PositionAdvance[] {
    return this.#tracker.covering(records)
  }

  saved(advances: readonly PositionAdvance[]): void {
    this.#tracker.saved(advances)
  }

  /** Returns the positions that are behind the committed ones. */
  uncommitted(progress: readonly PartitionProgress[]): PartitionProgress[] {
    return this.#tracker.uncommitted(progress)
  }

  /**
   * Stores progress over records that `process` did not receive, then commits, so that every
   * committed offset is stored first.
   */
  async commit(offsets: readonly InputOffset[], commit: (group: GroupIdentity) => Promise<void>): Promise<void> {
    await this.#save(this.#tracker.upTo(offsets))
    await commit(this.#options.identity())
    this.#tracker.committed(offsets)
  }

  /**
   * Saves the last committed offsets before the partitions are released. If this fails, the next
   * start does it.
   */
  async saveCommits(): Promise<void> {
    const saving = this.#save(this.#tracker.unsavedCommits()).catch(error =>
      this.#options.logger.debug({ error }, 'could not save the committed offsets')
    )
    await Promise.race([saving, delay(longestSaveMs, undefined, { ref: false })])
  }

  /** Stores and reports records that were removed before they were read. */
  async recordSkips(skips: readonly SkippedRange[], commit: () => Promise<void>): Promise<void> {
    const { positions: store } = this.#options
    const incidents = skips.map(({ topic, partition, topicID, from, to }) => {
      const range = { fromOffset: from, toOffset: to }
      return { kind: 'offsets_skipped' as const, topic, partition, ...(topicID && { topicID }), ...range }
    })
    if (store !== undefined) await this.#storing(() => store.replace([], incidents))
    await commit()
    this.#report(incidents)
  }

  /** Compares the positions of an idle stage, at most every five seconds, if that is possible. */
  async checkIdle(): Promise<void> {
    if (performance.now() - this.#checkedAtMs < idleCheckMs) return
    try {
      await this.check()
    } catch (error) {
      if (error instanceof PositionConflictError) throw error
      this.#options.logger.debug({ error }, 'could not compare the stored positions')
    }
  }

  async #commitStarts(starts: readonly Start[]): Promise<void> {
    const toCommit = starts.filter(({ mustCommit }) => mustCommit)
    if (toCommit.length > 0) await commitOffsets(this.#options.cluster, this.#options.identity(), toCommit)
  }

  /**
   * Returns an incident for truncated records that were fetched but not processed; they require no
   * change of position.
   */
  #takeUnreadTruncation(starts: readonly Start[]): Incident[] {
    const noticed = this.#noticedTruncation
    this.#noticedTruncation = undefined
    if (noticed?.divergence === undefined) return []
    const { topic, partition, position, divergence } = noticed
    const start = starts.find(start => start.topic === topic && start.partition === partition)
    if (start === undefined || start.incident?.kind === 'log_truncated') return []
    const range = { fromOffset: position, toOffset: divergence.endOffset }
    return [{ kind: 'log_truncated', topic, partition, topicID: start.topicID, ...range }]
  }

  #report(incidents: readonly Incident[]): void {
    const { logger, stageName: stage } = this.#options
    for (const { kind, topic, partition, fromOffset, toOffset, detail } of incidents) {
      const [from, to] = [fromOffset, toOffset].map(offset => offset && String(offset))
      const level = kind === 'partitions_added' ? 'warn' : 'error'
      logger[level]({ event: kind, stage, topic, partition, from, to, detail }, incidentMessages[kind])
      if (fromOffset === undefined || toOffset === undefined) continue
      const range = { stage, topic, partition, from: fromOffset, to: toOffset }
      if (kind === 'log_truncated') this.#options.observer.truncated?.(range)
      if (kind === 'offsets_skipped') this.#options.observer.skipped?.(range)
    }
    // Partitions of a recreated topic open one after another, as they get leaders; report the topic
    // once.
    const recreated = incidents.filter(
      ({ kind, topic, topicID }) => kind === 'topic_recreated' && this.#topicIDs.get(topic) !== topicID
    )
    for (const topic of new Set(recreated.map(({ topic }) => topic)))
      this.#options.observer.recreated?.({ stage, topic })
  }

  /**
   * Compares the group's stored positions with its committed offsets. Each batch checks its own
   * partitions in its database transaction, but other data that it reads, such as stock, may depend
   * on all partitions. A restored database or a standby that took over breaks every session, so a
   * comparison once a second and after every failure misses neither.
   *
   * @throws PositionConflictError
   */
  async check(): Promise<void> {
    const { positions: store } = this.#options
    if (store === undefined || performance.now() - this.#checkedAtMs < checkMs) return
    const committed = await lastCommittedOffsets(this.#options.cluster, this.#options.identity().groupID)
    const lost = lostPositions(committed, await this.#storing(() => store.load()))
    const [first] = store.whenBehind === 'stop' ? lost : lost.filter(own => this.#tracker.has(own))
    if (first !== undefined) {
      throw new PositionConflictError(
        `stored position of ${partitionKey(first)} is before the committed offset ${first.toOffset}`
      )
    }
    this.#checkedAtMs = performance.now()
  }

  doubt(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY
  }

  /** Saves positions separately from effects. */
  async #save(advances: readonly PositionAdvance[]): Promise<void> {
    const { positions: store } = this.#options
    if (store === undefined || advances.length === 0) return
    await this.#storing(() => store.advance(advances))
    this.#tracker.saved(advances)
  }

  /** Makes transient errors of the store retryable, like those of Kafka. */
  async #storing<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof KafkaError || !this.#options.isTransient(error)) throw error
      throw new KafkaError('POSITIONS_UNAVAILABLE', 'the stored positions cannot be read or written', {
        retryable: true,
        cause: error
      })
    }
  }
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter(item => !isFirst(item))]
}
