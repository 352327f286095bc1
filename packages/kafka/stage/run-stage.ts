import { backoffMs } from '@orderly/retry'
import { Cluster } from '../cluster/cluster.ts'
import { GroupMember } from '../consumer-group/member.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import { Fetcher } from '../fetch/fetcher.ts'
import { LogChangedError } from '../fetch/log-changed.ts'
import { Troubles } from '../fetch/troubles.ts'
import { recordRefusals } from '../producer/produce.ts'
import { retryKafka } from '../retry.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import { BatchPipeline, markersIntervalMs } from './batch-pipeline.ts'
import { BlockedKeyIndex } from './blocked-key-index.ts'
import { type Committer, createCommitter } from './committers.ts'
import { GroupPositions } from './group-positions.ts'
import { PartitionOpener } from './open-partitions.ts'
import { createBatchProcessor } from './process-batch.ts'
import type { RunningStage, Stage, StageObserver, StageOptions } from './stage.ts'
import { Ticker } from './ticker.ts'

const defaultSessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000
const requestTimeoutMs = 5_000
/** Timeout of the preload; reading 500,000 dead letters takes some seconds. */
const preloadTimeoutMs = 30_000
const defaultMaxBatchRecords = 2_000
/** Delays after failures since the last commit. */
const backoff = { initialMs: 100, maxMs: 2_000, jitter: 0 }

/**
 * Non-retryable errors that renewing the transactional identity resolves. `FENCED` counts as one
 * because the renewal fails if another instance holds the id; otherwise the coordinator had aborted
 * a transaction that took too long. `INVALID_PRODUCER_ID_MAPPING`: the id had expired.
 */
const recoverable = new Set(['CLOSED', 'FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

/** Partitions of this instance, from joining the group until it must join again. */
interface Assignment {
  readonly partitions: readonly TopicPartition[]
  /** Aborts waits of the in-flight batch, on shutdown or rebalance. */
  readonly interrupt: AbortController
}

/**
 * State of a stage. docs/explanation/architecture.md draws the transitions:
 *
 * - **opening**: acquires the transactional id and reads the dead-letter topics.
 * - **joining**: waits for partitions.
 * - **starting**: fetches the group's committed offsets (stable ones only) and compares them with
 *   the logs (starting-positions.ts).
 * - **working**: takes a batch, processes it, and starts its commit. While that commit is in
 *   flight, the next batch is taken and processed (batch-pipeline.ts). At most one commit is in
 *   flight, and batches commit in order. Ticks run between two batches.
 * - **recovering**: a batch failed or the outcome of its commit is unknown. The stage discards
 *   everything processed since, renews its transactional identity, and resumes from the committed
 *   offsets. `process` then receives some records again, so it must return the same outputs again.
 * - **stopping**: every started batch is committed or discarded; leaves the group.
 *
 * A transient error repeats `opening` and `recovering` and otherwise leads to `joining`, without
 * limit and with growing backoff. Only fencing or a permanent error ends the stage.
 */
type State =
  | { readonly name: 'opening' | 'joining' | 'stopping' }
  | { readonly name: 'starting'; readonly assignment: Assignment }
  | {
      readonly name: 'working'
      readonly assignment: Assignment
      /** Ends the opening of partitions in the background. */
      readonly opening: AbortController
    }
  | { readonly name: 'recovering'; readonly assignment: Assignment; readonly error: KafkaError }

/**
 * Runs a stage until it is stopped or fails permanently. The stage releases partitions (by
 * rejoining) only when no commit is in flight.
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
  readonly #blockedKeys: BlockedKeyIndex
  readonly #positions: GroupPositions
  readonly #opener: PartitionOpener
  readonly #pipeline: BatchPipeline
  readonly #ticker: Ticker | undefined
  readonly #idleCheck: NodeJS.Timeout
  #state: State = { name: 'opening' }
  /** Number of failures since the last commit. */
  #failures = 0

  constructor(stage: Stage<Event>, options: StageOptions) {
    const { connection, logger, isTransient, positions: store } = options
    const observer = options.observer ?? {}
    const maxBatchRecords = options.maxBatchRecords ?? defaultMaxBatchRecords
    this.#name = stage.name
    this.#topics = stage.inputs.map(topic => topic.name)
    this.#options = options
    this.#observer = observer
    this.#clusters = {
      main: new Cluster(connection, { requestTimeoutMs }),
      group: new Cluster(connection, { requestTimeoutMs: rebalanceTimeoutMs + requestTimeoutMs }),
      fetch: new Cluster(connection, { requestTimeoutMs })
    }
    this.#troubles = new Troubles({ logger, onCount: event => observer.unavailable?.({ stage: stage.name, ...event }) })
    this.#fetcher = new Fetcher(this.#clusters.fetch, {
      maxBufferedRecords: maxBatchRecords * 2,
      ...(options.maxBufferedBytes && { maxBufferedBytes: options.maxBufferedBytes }),
      ...(options.limits && { limits: options.limits }),
      ...(options.fetchPace && { pace: options.fetchPace }),
      logger,
      troubles: this.#troubles
    })
    this.#member = this.#createMember(stage)
    this.#committer = createCommitter(options, this.#clusters.main)
    this.#blockedKeys = new BlockedKeyIndex(this.#clusters.main, stage.name, logger)
    this.#positions = new GroupPositions({
      ...{ stageName: stage.name, cluster: this.#clusters.main, isTransient, logger, observer },
      ...(store && { positions: store }),
      identity: () => this.#member.identity,
      onReplaced: partitions => processor.forget(partitions)
    })
    const processor = createBatchProcessor(stage, {
      ...{ isTransient, logger, observer },
      ...(store && { positions: this.#positions })
    })
    this.#opener = new PartitionOpener({
      blockedKeys: this.#blockedKeys,
      fetcher: this.#fetcher,
      positions: this.#positions,
      processor,
      troubles: this.#troubles
    })
    if (stage.tick !== undefined) this.#ticker = new Ticker(stage.tick, () => this.#fetcher.wake())
    this.#idleCheck = setInterval(() => this.#fetcher.wake(), markersIntervalMs)
    this.#pipeline = new BatchPipeline({
      ...{ stageName: stage.name, topics: this.#topics, cluster: this.#clusters.fetch, logger, observer },
      ...{ committer: this.#committer, fetcher: this.#fetcher, positions: this.#positions, processor },
      ...{ ticker: this.#ticker, recordsInACall: stage.recordsInACall },
      ...{ maxBatchRecords, maxBatchBytes: options.maxBatchBytes },
      onCommitted: () => {
        this.#failures = 0
      }
    })
  }

  #createMember({ name, group }: Stage<Event>): GroupMember {
    return new GroupMember(this.#clusters.group, {
      groupID: group,
      instanceID: this.#options.instanceID ?? null,
      topics: this.#topics,
      metadata: this.#clusters.main,
      sessionTimeoutMs: this.#options.sessionTimeoutMs ?? defaultSessionTimeoutMs,
      rebalanceTimeoutMs,
      logger: this.#options.logger,
      onChange: () => this.#interrupt(),
      onPartitionsAdded: event => this.#observer.partitionsAdded?.({ stage: name, ...event })
    })
  }

  isReady(): boolean {
    return !this.#member.mustRejoin && !this.#stopping.signal.aborted
  }

  stop(): void {
    this.#stopping.abort(new KafkaError('CLOSED', 'the stage is stopping', { retryable: false }))
    this.#interrupt()
  }

  async run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      await retryKafka(this.#name, () => this.#runStates(), {
        ...backoff,
        signal,
        delayMs: () => backoffMs(++this.#failures, backoff),
        onRetry: (error, _attempt, retryInMs) => {
          if (this.#state.name !== 'opening' && this.#state.name !== 'recovering') this.#enter({ name: 'joining' })
          const fields = { event: 'stage_retrying', error, stage: this.#name, retryInMs }
          this.#options.logger.warn(fields, 'transient error; retrying')
          for (const cluster of Object.values(this.#clusters)) cluster.forget()
        }
      })
    } catch (error) {
      if (!signal.aborted || (error as KafkaError).code === 'FENCED') throw error
    } finally {
      await this.#stop()
    }
  }

  async #runStates(): Promise<void> {
    while (this.#state.name !== 'stopping') this.#enter(await this.#next(this.#state))
  }

  /** Does the work of a state. Returns the next state. @throws KafkaError */
  async #next(state: State): Promise<State> {
    switch (state.name) {
      case 'opening':
        await this.#committer.open()
        await this.#preload()
        return { name: 'joining' }
      case 'joining':
        return this.#join()
      case 'starting':
        return this.#start(state.assignment)
      case 'working':
        return this.#work(state)
      case 'recovering':
        return this.#recover(state)
      case 'stopping':
        return state
    }
  }

  /** Releases what belongs to the current state but not to the next one. */
  #enter(next: State): void {
    const previous = this.#state
    this.#state = next
    if (previous.name === 'working') previous.opening.abort()
    if ('assignment' in previous && !('assignment' in next)) this.#fetcher.stop()
  }

  /** Interrupts the in-flight batch. */
  #interrupt(): void {
    if ('assignment' in this.#state) {
      const { interrupt } = this.#state.assignment
      interrupt.abort(new KafkaError('REBALANCED', 'the batch is aborted', { retryable: true }))
    }
    this.#fetcher.wake()
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

  async #join(): Promise<State> {
    const partitions = await this.#member.join(this.#stopping.signal)
    this.#observer.assigned?.({ partitions: partitions.length })
    this.#options.logger.info({ stage: this.#name, partitions: partitions.map(partitionKey) }, 'joined')
    this.#troubles.retain(partitions)
    return { name: 'starting', assignment: { partitions, interrupt: new AbortController() } }
  }

  /** Decides the starting positions, and starts reading from them. */
  async #start(assignment: Assignment): Promise<State> {
    const { signal } = assignment.interrupt
    try {
      if (this.#mustLeave()) return this.#leave()
      const starts = await this.#positions.start(assignment.partitions, signal)
      const opening = new AbortController()
      this.#opener.open(starts, opening.signal)
      return { name: 'working', assignment, opening }
    } catch (error) {
      const hasLostPartitions = error instanceof KafkaError && this.#member.handleMembershipError(error.code)
      if (error !== signal.reason && !hasLostPartitions) throw error
      return this.#leave()
    }
  }

  /** Processes batches until the partitions must be released or opened again, or a batch fails. */
  async #work({ assignment }: State & { readonly name: 'working' }): Promise<State> {
    try {
      await this.#pipeline.run(() => this.#mustLeave() || this.#opener.mustReopen, assignment.interrupt.signal)
      return { name: 'starting', assignment }
    } catch (thrown) {
      return this.#abortBatch(assignment, thrown)
    }
  }

  /** Discards all in-flight state. */
  #abortBatch(assignment: Assignment, thrown: unknown): State {
    this.#fetcher.assign([])
    const error = toKafkaError(thrown, 'committing')
    if (error instanceof LogChangedError && error.code === 'LOG_TRUNCATED')
      this.#positions.noticeTruncation(error.change)
    this.#member.handleMembershipError(error.code)
    const fields = { event: 'batch_aborted', error, stage: this.#name }
    this.#options.logger.warn(fields, 'batch aborted; resuming from the committed offsets')
    this.#observer.aborted?.({ reason: error.code })
    if (error.code !== 'CLOSED' && error.code !== 'REBALANCED') this.#failures++
    return { name: 'recovering', assignment, error }
  }

  /** Renews the transactional identity. @throws the error of the batch if it is permanent */
  async #recover({ assignment, error }: State & { readonly name: 'recovering' }): Promise<State> {
    await this.#committer.recover()
    const isRecoverable = recoverable.has(error.code) || recordRefusals.has(error.code)
    if (!error.retryable && !isRecoverable && !this.#member.mustRejoin) throw error
    return { name: 'starting', assignment }
  }

  /** Returns true if this instance must release its partitions. @throws KafkaError that ends the stage */
  #mustLeave(): boolean {
    if (this.#member.failure !== undefined) throw this.#member.failure
    if (this.#opener.failure !== undefined) throw this.#opener.failure
    return this.#stopping.signal.aborted || this.#member.mustRejoin
  }

  #leave(): State {
    return { name: this.#stopping.signal.aborted ? 'stopping' : 'joining' }
  }

  async #stop(): Promise<void> {
    this.#enter({ name: 'stopping' })
    // Leave even if the stage refuses to start: offsets of a group with members cannot be repaired.
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
