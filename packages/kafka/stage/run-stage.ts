import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { backoffMs } from '@orderly/retry'
import type { FailedPartition } from '../cluster/ask-leaders.ts'
import { Cluster } from '../cluster/cluster.ts'
import { commitOffsets, lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import { GroupMember } from '../consumer-group/member.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { lookUpShapes } from '../consumer-group/topic-shapes.ts'
import type { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { Fetcher, type PartitionProgress, type SkippedRange } from '../fetch/fetcher.ts'
import { type LogChange, LogChangedError } from '../fetch/log-changed.ts'
import { Troubles } from '../fetch/troubles.ts'
import { recordRefusals } from '../producer/batch-limits.ts'
import { retryKafka } from '../retry.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import { BatchSummary } from './batch-summary.ts'
import { BlockedKeyIndex } from './blocked-key-index.ts'
import { type Committer, createCommitter, type OpenBatch } from './committers.ts'
import { lostPositions } from './lost-positions.ts'
import { type Incident, type IncidentKind, type PositionAdvance, PositionConflictError } from './position-store.ts'
import { PositionTracker } from './position-tracker.ts'
import { type BatchProcessor, createBatchProcessor } from './process-batch.ts'
import { refusalOf } from './refuse-start.ts'
import type { RunningStage, Stage, StageObserver, StageOptions } from './stage.ts'
import { type Start, type Starts, startingPositions } from './starting-positions.ts'
import { Ticker } from './ticker.ts'

const defaultSessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000
const requestTimeoutMs = 5_000
/** Timeout of the preload; reading 500,000 dead letters takes some seconds. */
const preloadTimeoutMs = 30_000
const defaultMaxBatchBytes = 16 * 1024 * 1024
/** Delays after failures since the last commit. */
const backoff = { initialMs: 100, maxMs: 2_000, jitter: 0 }
const longestSaveMs = 1_000
const positionCheckMs = 1_000
const idleCheckMs = 5_000
/** Interval at which a stage commits positions after transaction markers. */
const passMs = 1_000

const incidentMessages: Readonly<Record<IncidentKind, string>> = {
  offsets_skipped: 'input records were removed before they were read',
  topic_recreated: 'input topic was deleted and recreated; reading it from its beginning',
  log_truncated: 'input log has lost records; resuming where it diverged',
  offsets_missing: 'committed offset of the group is missing or older than a previous one',
  database_behind: 'database has lost a stored position, and with it effects of committed records',
  partitions_added: 'input topic has a new partition; reading it from its beginning'
}

/**
 * Non-retryable errors that renewing the transactional identity resolves. `FENCED` counts as one
 * because the renewal fails if another instance holds the id; otherwise the coordinator had aborted
 * a transaction that took too long. `INVALID_PRODUCER_ID_MAPPING`: the id had expired.
 */
const recoverable = new Set(['CLOSED', 'FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

/**
 * Runs a stage until it is stopped or fails permanently. Its states:
 *
 * - **opening**: acquires the transactional id.
 * - **joining**: waits for partitions, fetches the group's committed offsets (stable ones only) and
 *   compares them with the logs (starting-positions.ts).
 * - **working**: takes a batch, processes it, and starts its commit. While that commit is in
 *   flight, the next batch is taken and processed. At most one commit is in flight, and batches
 *   commit in order.
 * - **recovering**: a commit failed, so its outcome is unknown. The stage discards everything
 *   processed since, renews its transactional identity, and resumes from the committed offsets.
 *   `process` then receives some records again, so it must return the same outputs again.
 * - **ticking**: runs a due tick between two batches, while working and with no commit in flight.
 * - **stopping**: commits the in-flight batch, then leaves the group.
 *
 * The stage releases partitions (by rejoining) only when no commit is in flight. It retries
 * transient errors without limit and with growing backoff. Only fencing or a permanent error ends
 * the stage.
 */
export function runStage<Event>(stage: Stage<Event>, options: StageOptions): RunningStage {
  const runner = new StageRunner(stage, options)
  const finished = runner.run()
  finished.catch(() => {}) // avoids an unhandled rejection: callers may, but need not, await `finished`
  return {
    finished,
    stop: async () => {
      runner.stop()
      await finished.catch(() => {})
    },
    isReady: () => runner.isReady()
  }
}

interface ProcessedBatch {
  readonly summary: BatchSummary
  readonly open: OpenBatch
}

class StageRunner<Event> {
  readonly #name: string
  readonly #topics: readonly string[]
  readonly #options: StageOptions
  readonly #observer: StageObserver
  readonly #stopping = new AbortController()
  readonly #clusters: { readonly main: Cluster; readonly group: Cluster; readonly fetch: Cluster }
  readonly #troubles: Troubles
  readonly #fetcher: Fetcher
  readonly #member: GroupMember
  readonly #committer: Committer
  readonly #processor: BatchProcessor
  readonly #blockedKeys: BlockedKeyIndex
  readonly #ticker: Ticker | undefined
  readonly #maxBatchRecords: number
  readonly #maxBatchBytes: number
  readonly #recordsInACall: number | undefined
  /** Aborts waits of the in-flight batch, on shutdown or rebalance. */
  #interrupt = new AbortController()
  /**
   * Set when a partition that could not be opened has become readable. The session then opens all
   * partitions again, once no commit is in flight.
   */
  #mustReopen = false
  /** Permanent error, set when no topic could be opened. */
  #openFailure: KafkaError | undefined
  #failures = 0
  /**
   * Current limit of records in a batch; reduced while searching for the record whose output the
   * broker rejects.
   */
  #batchRecords: number
  /** Ids of the input topics as of the last start. */
  readonly #topicIDs = new Map<string, string>()
  readonly #positions = new PositionTracker()
  #positionsCheckedAtMs = Number.NEGATIVE_INFINITY
  readonly #idleCheck: NodeJS.Timeout
  #passedAtMs = performance.now()
  /**
   * Truncation that the fetcher detected. The next start decides whether it affects processed
   * records.
   */
  #noticedTruncation: LogChange | undefined

  constructor(stage: Stage<Event>, options: StageOptions) {
    const { connection, logger } = options
    this.#name = stage.name
    this.#topics = stage.inputs.map(topic => topic.name)
    this.#options = options
    this.#observer = options.observer ?? {}
    this.#maxBatchRecords = options.maxBatchRecords ?? 2_000
    this.#maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes
    this.#batchRecords = this.#maxBatchRecords
    this.#recordsInACall = stage.recordsInACall
    this.#clusters = {
      main: new Cluster(connection, { requestTimeoutMs }),
      group: new Cluster(connection, { requestTimeoutMs: rebalanceTimeoutMs + requestTimeoutMs }),
      fetch: new Cluster(connection, { requestTimeoutMs })
    }
    this.#troubles = new Troubles({
      logger,
      onCount: event => this.#observer.unavailable?.({ stage: this.#name, ...event })
    })
    this.#fetcher = new Fetcher(this.#clusters.fetch, {
      maxBufferedRecords: this.#maxBatchRecords * 2,
      ...(options.maxBufferedBytes && { maxBufferedBytes: options.maxBufferedBytes }),
      ...(options.limits && { limits: options.limits }),
      ...(options.fetchPace && { pace: options.fetchPace }),
      logger,
      troubles: this.#troubles
    })
    this.#member = new GroupMember(this.#clusters.group, {
      groupID: stage.group,
      instanceID: options.instanceID ?? null,
      topics: this.#topics,
      metadata: this.#clusters.main,
      sessionTimeoutMs: options.sessionTimeoutMs ?? defaultSessionTimeoutMs,
      rebalanceTimeoutMs,
      logger,
      onChange: () => this.#interruptBatch(),
      onPartitionsAdded: event => this.#observer.partitionsAdded?.({ stage: this.#name, ...event })
    })
    this.#committer = createCommitter(options, this.#clusters.main)
    this.#blockedKeys = new BlockedKeyIndex(this.#clusters.main, stage.name, logger)
    this.#processor = createBatchProcessor(stage, {
      isTransient: options.isTransient,
      logger,
      observer: this.#observer,
      ...(options.positions && {
        positions: {
          covering: records => this.#positions.covering(records),
          saved: advances => this.#positions.saved(advances),
          check: () => this.#checkPositions(),
          doubt: () => this.#doubtPositions()
        }
      })
    })
    this.#idleCheck = setInterval(() => this.#fetcher.wake(), passMs)
    if (stage.tick !== undefined) this.#ticker = new Ticker(stage.tick, () => this.#fetcher.wake())
  }

  isReady(): boolean {
    return !this.#member.mustRejoin && !this.#stopping.signal.aborted
  }

  stop(): void {
    this.#stopping.abort(new KafkaError('CLOSED', 'the stage is stopping', { retryable: false }))
    this.#interruptBatch()
  }

  async run(): Promise<void> {
    try {
      await this.#retryUntilStopped(() => this.#committer.open())
      await this.#preload()
      while (!this.#stopping.signal.aborted) await this.#retryUntilStopped(() => this.#session())
    } finally {
      // Leave even if the stage refuses to start: offsets of a group with members cannot be
      // repaired.
      await this.#member
        .leave(this.#clusters.main)
        .catch(error => this.#options.logger.debug({ error }, 'could not leave the group'))
      this.#ticker?.stop()
      clearInterval(this.#idleCheck)
      this.#fetcher.stop()
      await this.#committer.close()
      await Promise.all(Object.values(this.#clusters).map(cluster => cluster.close()))
    }
  }

  /** Reads the dead-letter topics before joining the group. Failures are retried after joining. */
  async #preload(): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(preloadTimeoutMs)])
    const preloads = this.#topics.map(topic => this.#blockedKeys.preload(topic, signal))
    for (const result of await Promise.allSettled(preloads)) {
      if (result.status === 'rejected')
        this.#options.logger.debug({ error: result.reason }, 'could not read a dead-letter topic before joining')
    }
  }

  /** Runs from joining (if needed) to the next rebalance, failure or stop. */
  async #session(): Promise<void> {
    const partitions = await this.#member.join(this.#stopping.signal)
    this.#observer.assigned?.({ partitions: partitions.length })
    this.#options.logger.info(
      { stage: this.#name, partitions: partitions.map(({ topic, partition }) => `${topic}/${partition}`) },
      'joined'
    )
    this.#troubles.retain(partitions)
    try {
      while (!this.#mustLeave()) {
        this.#interrupt = new AbortController()
        const decided = await this.#start(partitions, this.#interrupt.signal)
        const opened = new AbortController()
        try {
          this.#open(decided, opened.signal)
          await this.#work()
        } finally {
          opened.abort()
        }
      }
    } catch (error) {
      const hasLostPartitions = error instanceof KafkaError && this.#member.handleMembershipError(error.code)
      if (error !== this.#interrupt.signal.reason && !hasLostPartitions) throw error
    } finally {
      this.#fetcher.stop()
    }
  }

  /**
   * Starts reading each topic in the background once its blocked keys are loaded, so that an
   * unreadable topic does not delay the others. Retries partitions whose starting position could
   * not be decided; once one can be, all partitions are opened again.
   */
  #open({ starts, failed }: Starts, signal: AbortSignal): void {
    this.#mustReopen = false
    this.#openFailure = undefined
    const blockedKeys = new Map<string, BlockedKeys>()
    this.#processor.reset(blockedKeys)
    this.#fetcher.assign([])
    const byTopic = Map.groupBy(starts, ({ topic }) => topic)
    const refused = new Set<string>()
    for (const [topic, own] of byTopic) {
      const onRefused = (error: KafkaError) => {
        refused.add(topic)
        if (refused.size < byTopic.size) return
        this.#openFailure = error
        this.#fetcher.wake()
      }
      void this.#openTopic(topic, own, { blockedKeys, onRefused, signal })
    }
    if (failed.length > 0) void this.#watchUnopened(failed, signal)
  }

  async #openTopic(
    topic: string,
    starts: readonly Start[],
    options: {
      readonly blockedKeys: Map<string, BlockedKeys>
      readonly onRefused: (error: KafkaError) => void
      readonly signal: AbortSignal
    }
  ): Promise<void> {
    const { blockedKeys, onRefused, signal } = options
    for (;;) {
      try {
        const loaded = await this.#blockedKeys.load(topic, signal)
        signal.throwIfAborted()
        blockedKeys.set(topic, loaded)
        this.#fetcher.add(starts)
        return
      } catch (thrown) {
        if (signal.aborted) return
        const error = toKafkaError(thrown, `loading the blocked keys of ${topic}`)
        if (!error.retryable) onRefused(error)
        await this.#noteFailed(
          starts.map(place => ({ ...place, error })),
          signal
        )
      }
    }
  }

  async #watchUnopened(failed: readonly FailedPartition[], signal: AbortSignal): Promise<void> {
    const { main } = this.#clusters
    let unopened = failed
    while (!signal.aborted) {
      await this.#noteFailed(unopened, signal)
      try {
        const options = { formerTopicIDs: this.#topicIDs, store: this.#options.positions, signal }
        const decided = await startingPositions(main, this.#member.identity, unopened, options)
        signal.throwIfAborted()
        unopened = decided.failed
        if (decided.starts.length === 0) continue
        // Positions and blocked keys are decided again, for all partitions together.
        this.#mustReopen = true
        this.#fetcher.wake()
        return
      } catch (thrown) {
        const error = toKafkaError(thrown, 'deciding the starting positions')
        unopened = unopened.map(place => ({ ...place, error }))
      }
    }
  }

  /** Reports partitions that cannot be opened, and waits before the next attempt. */
  async #noteFailed(failed: readonly FailedPartition[], signal: AbortSignal): Promise<void> {
    const pausesMs = failed.map(({ error, ...place }) => this.#troubles.note(place, error))
    await delay(Math.max(...pausesMs), undefined, { signal }).catch(() => {})
  }

  /**
   * Decides the starting positions, reports detected incidents, and stores and commits the
   * resulting positions.
   */
  async #start(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Starts> {
    const { main } = this.#clusters
    const { identity } = this.#member
    const { positions: store } = this.#options
    const { starts, failed } = await this.#storing(() =>
      startingPositions(main, identity, partitions, { formerTopicIDs: this.#topicIDs, store, signal })
    )
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
    if (store !== undefined && refused.length > 0) {
      this.#report(incidents)
      throw refusalOf(identity.groupID, refused, store)
    }
    await this.#commitStarts(onward)
    this.#processor.forget(incidents)
    this.#report(incidents)
    for (const { topic, topicID } of starts) this.#topicIDs.set(topic, topicID)
    this.#positions.reset(starts)
    await this.#advance(this.#positions.unsavedCommits())
    return { starts, failed }
  }

  async #commitStarts(starts: readonly Start[]): Promise<void> {
    const toCommit = starts.filter(({ mustCommit }) => mustCommit)
    if (toCommit.length > 0) await commitOffsets(this.#clusters.main, this.#member.identity, toCommit)
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
    const { logger } = this.#options
    const stage = this.#name
    for (const { kind, topic, partition, fromOffset, toOffset, detail } of incidents) {
      const [from, to] = [fromOffset, toOffset].map(offset => offset && String(offset))
      const level = kind === 'partitions_added' ? 'warn' : 'error'
      logger[level]({ event: kind, stage, topic, partition, from, to, detail }, incidentMessages[kind])
      if (fromOffset === undefined || toOffset === undefined) continue
      const range = { stage, topic, partition, from: fromOffset, to: toOffset }
      if (kind === 'log_truncated') this.#observer.truncated?.(range)
      if (kind === 'offsets_skipped') this.#observer.skipped?.(range)
    }
    // Partitions of a recreated topic open one after another, as they get leaders; report the topic
    // once.
    const recreated = incidents.filter(
      ({ kind, topic, topicID }) => kind === 'topic_recreated' && this.#topicIDs.get(topic) !== topicID
    )
    for (const topic of new Set(recreated.map(({ topic }) => topic))) this.#observer.recreated?.({ stage, topic })
  }

  /**
   * Compares the group's stored positions with its committed offsets. Each batch checks its own
   * partitions in its database transaction, but other data that it reads, such as stock, may depend
   * on all partitions. A restored database or a standby that took over breaks every session, so a
   * comparison once a second and after every failure misses neither.
   *
   * @throws PositionConflictError
   */
  async #checkPositions(): Promise<void> {
    const { positions: store } = this.#options
    if (store === undefined || performance.now() - this.#positionsCheckedAtMs < positionCheckMs) return
    const committed = await lastCommittedOffsets(this.#clusters.main, this.#member.identity.groupID)
    const lost = lostPositions(committed, await this.#storing(() => store.load()))
    const [first] = store.whenBehind === 'stop' ? lost : lost.filter(own => this.#positions.has(own))
    if (first !== undefined) {
      const place = `${first.topic}/${first.partition}`
      throw new PositionConflictError(`stored position of ${place} is before the committed offset ${first.toOffset}`)
    }
    this.#positionsCheckedAtMs = performance.now()
  }

  /** Compares the positions if possible; otherwise the next batch compares them. */
  async #checkPositionsIfPossible(): Promise<void> {
    try {
      await this.#checkPositions()
    } catch (error) {
      if (error instanceof PositionConflictError) throw error
      this.#options.logger.debug({ error }, 'could not compare the stored positions')
    }
  }

  #doubtPositions(): void {
    this.#positionsCheckedAtMs = Number.NEGATIVE_INFINITY
  }

  /** Saves positions separately from effects. */
  async #advance(advances: readonly PositionAdvance[]): Promise<void> {
    const { positions: store } = this.#options
    if (store === undefined || advances.length === 0) return
    await this.#storing(() => store.advance(advances))
    this.#positions.saved(advances)
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

  #mustLeave(): boolean {
    if (this.#member.failure !== undefined) throw this.#member.failure
    if (this.#openFailure !== undefined) throw this.#openFailure
    return this.#stopping.signal.aborted || this.#member.mustRejoin
  }

  /**
   * Processes batches in a pipeline: batch N commits while batch N+1 is processed. Returns once
   * every started batch is committed.
   */
  async #work(): Promise<void> {
    let committing: Promise<void> = Promise.resolve()
    try {
      while (!this.#mustLeave() && !this.#mustReopen) {
        this.#interrupt = new AbortController()
        if (this.#ticker?.isDue === true) {
          await committing
          await this.#tick(this.#ticker)
          if (this.#mustLeave() || this.#mustReopen) break // a later `take` would not be woken
        }
        const skips = this.#fetcher.takeSkips()
        if (skips.length > 0) {
          await committing
          await this.#passSkips(skips)
          if (this.#mustLeave() || this.#mustReopen) break
        }
        const maxRecords = Math.min(this.#recordsInACall ?? Infinity, this.#batchRecords)
        const records = await this.#fetcher.take(maxRecords, this.#maxBatchBytes)
        if (records.length === 0) {
          await committing
          if (performance.now() - this.#positionsCheckedAtMs >= idleCheckMs) await this.#checkPositionsIfPossible()
          if (!this.#mustLeave() && !this.#mustReopen) await this.#passMarkers()
          continue
        }
        failpoint('batch-read')
        let batch: ProcessedBatch | undefined = await this.#process(records)
        failpoint('batch-processed')
        await committing
        committing = this.#commit(batch)
        batch = undefined // releases its outputs before the next batch is read
        committing.catch(() => this.#fetcher.wake()) // the next `await committing` throws the error
      }
      await committing
      await this.#saveCommits()
    } catch (thrown) {
      await committing.catch(() => {})
      await this.#recover(thrown)
    }
  }

  /**
   * Reports records that were removed before they were read, and commits the positions after them
   * so that they are reported only once.
   */
  async #passSkips(skips: readonly SkippedRange[]): Promise<void> {
    const { positions: store } = this.#options
    const incidents = skips.map(({ topic, partition, topicID, from, to }) => {
      const range = { fromOffset: from, toOffset: to }
      return { kind: 'offsets_skipped' as const, topic, partition, ...(topicID && { topicID }), ...range }
    })
    if (store !== undefined) await this.#storing(() => store.replace([], incidents))
    const isSkipped = (own: TopicPartition) => skips.some(skip => partitionKey(skip) === partitionKey(own))
    await this.#commitWith(this.#committer.begin(), this.#fetcher.progress().filter(isSkipped))
    this.#report(incidents)
  }

  /**
   * Returns, at most once a second, the positions that moved without records: over markers and
   * aborted transactions. Every record before them must be committed, or belong to the batch that
   * is committed with them. Committing them leaves no lag in partitions without new records.
   */
  #takePassed(): PartitionProgress[] {
    if (performance.now() - this.#passedAtMs < passMs || this.#fetcher.hasSkips()) return []
    this.#passedAtMs = performance.now()
    return this.#positions.uncommitted(this.#fetcher.progress())
  }

  /**
   * Commits the positions that moved without records while there is no batch to commit them with.
   */
  async #passMarkers(): Promise<void> {
    const passed = this.#takePassed()
    if (passed.length > 0) await this.#commitWith(this.#committer.begin(), passed)
  }

  /**
   * Saves the last committed offsets before the partitions are released. If this fails, the next
   * start does it.
   */
  async #saveCommits(): Promise<void> {
    const saving = this.#advance(this.#positions.unsavedCommits()).catch(error =>
      this.#options.logger.debug({ error }, 'could not save the committed offsets')
    )
    await Promise.race([saving, delay(longestSaveMs, undefined, { ref: false })])
  }

  /**
   * Processes one batch, in pieces if the stage limits the records in a call. Each piece is
   * decoded, processed and encoded before the next is taken.
   */
  async #process(first: readonly FetchedRecord[]): Promise<ProcessedBatch> {
    const startMs = performance.now()
    const open = this.#committer.begin()
    const summary = new BatchSummary(first[0] as FetchedRecord)
    for (let piece = first; piece.length > 0; piece = await this.#nextPiece(summary)) {
      await this.#processor.process(piece, open, this.#interrupt.signal)
      summary.add(piece)
    }
    this.#observer.processed?.({ records: summary.records, durationMs: performance.now() - startMs })
    return { summary, open }
  }

  async #nextPiece({ records, bytes }: BatchSummary): Promise<readonly FetchedRecord[]> {
    if (this.#recordsInACall === undefined || records >= this.#batchRecords || bytes >= this.#maxBatchBytes) return []
    await nextTurn() // lets the commit of the previous batch progress
    this.#interrupt.signal.throwIfAborted()
    const maxRecords = Math.min(this.#recordsInACall, this.#batchRecords - records)
    return this.#fetcher.takeBuffered(maxRecords, this.#maxBatchBytes - bytes)
  }

  #commit({ summary, open }: ProcessedBatch): Promise<void> {
    const startMs = performance.now()
    const places = new Set(summary.offsets.map(partitionKey))
    const passed = this.#takePassed().filter(own => !places.has(partitionKey(own)))
    const committing = this.#commitWith(open, [...summary.offsets, ...passed])
    return this.#watch(committing, { summary, startMs, outputs: open.outputs })
  }

  /**
   * Stores progress over records that `process` did not receive, then commits, so that every
   * committed offset is stored first.
   */
  async #commitWith(open: OpenBatch, offsets: readonly InputOffset[]): Promise<void> {
    await this.#advance(this.#positions.upTo(offsets))
    await open.commit(offsets, this.#member.identity)
    this.#positions.committed(offsets)
  }

  async #watch(
    committing: Promise<void>,
    { summary, startMs, outputs }: { summary: BatchSummary; startMs: number; outputs: number }
  ): Promise<void> {
    try {
      await committing
    } catch (thrown) {
      const error = toKafkaError(thrown, 'committing')
      if (recordRefusals.has(error.code)) this.#narrowDown(summary, error)
      throw error
    }
    failpoint('after-commit')
    this.#failures = 0
    this.#batchRecords = Math.min(this.#maxBatchRecords, this.#batchRecords * 2)
    const durationMs = performance.now() - startMs
    const { records, timestampsMs } = summary
    this.#observer.committed?.({ records, outputs, durationMs, timestampsMs })
  }

  async #tick(ticker: Ticker): Promise<void> {
    const startMs = performance.now()
    const partitions = this.#fetcher.progress()
    if (ticker.tracksCompleteness) this.#fetcher.noteEnds()
    if (partitions.length === 0) return
    const { found } = await lookUpShapes(this.#clusters.fetch, this.#topics)
    const partitionCounts = new Map([...found].map(([topic, shape]) => [topic, shape.partitions]))
    const context = { partitions, partitionCounts, signal: this.#interrupt.signal }
    const outputs = await ticker.run(context, error => this.#tickFailed(error))
    if (outputs.length === 0) return
    const open = this.#committer.begin()
    await open.add(outputs)
    await this.#commitWith(open, partitions)
    failpoint('after-commit')
    this.#failures = 0
    await ticker.committed(error => this.#tickFailed(error))
    this.#observer.ticked?.({ outputs: outputs.length, durationMs: performance.now() - startMs })
  }

  #tickFailed(error: unknown): void {
    if (this.#interrupt.signal.aborted) return
    this.#observer.retried?.({ error })
    const fields = { event: 'tick_failed', error, stage: this.#name }
    this.#options.logger.warn(fields, 'tick failed; continuing with the next one')
  }

  /**
   * Finds the record whose output the broker rejects, by reading smaller batches. A batch of one
   * record marks that record as poison.
   */
  #narrowDown({ records, first }: BatchSummary, error: KafkaError): void {
    if (records === 1) this.#processor.markPoison(first, error)
    else this.#batchRecords = Math.ceil(records / 4)
  }

  /** Discards all in-flight state, so that the next round resumes from the committed offsets. */
  async #recover(thrown: unknown): Promise<void> {
    this.#fetcher.assign([])
    const error = toKafkaError(thrown, 'committing')
    if (error instanceof LogChangedError && error.code === 'LOG_TRUNCATED') this.#noticedTruncation = error.change
    this.#member.handleMembershipError(error.code)
    const fields = { event: 'batch_aborted', error, stage: this.#name }
    this.#options.logger.warn(fields, 'batch aborted; resuming from the committed offsets')
    this.#observer.aborted?.({ reason: error.code })
    if (error.code !== 'CLOSED' && error.code !== 'REBALANCED') this.#failures++
    await this.#retryUntilStopped(() => this.#committer.recover())
    const isRecoverable = recoverable.has(error.code) || recordRefusals.has(error.code)
    if (!error.retryable && !isRecoverable && !this.#member.mustRejoin) throw error
  }

  /**
   * Retries with growing delays until `attempt` succeeds. Returns early when the stage is stopping.
   * @throws KafkaError if the error is permanent
   */
  async #retryUntilStopped(attempt: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping
    try {
      await retryKafka(this.#name, attempt, {
        ...backoff,
        signal,
        delayMs: () => backoffMs(++this.#failures, backoff),
        onRetry: (error, _attempt, retryInMs) => {
          const fields = { event: 'stage_retrying', error, stage: this.#name, retryInMs }
          this.#options.logger.warn(fields, 'transient error; retrying')
          for (const cluster of Object.values(this.#clusters)) cluster.forget()
        }
      })
    } catch (error) {
      if (!signal.aborted || (error as KafkaError).code === 'FENCED') throw error
    }
  }

  #interruptBatch(): void {
    this.#interrupt.abort(new KafkaError('REBALANCED', 'the batch is aborted', { retryable: true }))
    this.#fetcher.wake()
  }
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter(item => !isFirst(item))]
}
