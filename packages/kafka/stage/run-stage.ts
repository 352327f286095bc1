import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@orderly/retry'
import type { GroupMember } from '../consumer-group/member.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import { LogChangedError } from '../fetch/log-changed.ts'
import { recordRefusals } from '../producer/produce.ts'
import { retryKafka } from '../retry.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import { type BatchPipeline, markersIntervalMs } from './batch-pipeline.ts'
import { assertValidDelivery, assertValidStage, assertValidStageOptions } from './check-options.ts'
import type { Committer } from './committers.ts'
import type { GroupPositions } from './group-positions.ts'
import type { PartitionOpener } from './open-partitions.ts'
import type { RunningStage, Stage, StageObserver, StageOptions } from './stage.ts'
import { HealthRecord, type StageHealth } from './stage-health.ts'
import { createStageParts, type StageParts } from './stage-parts.ts'

/** Timeout of the preload; reading 500,000 dead letters takes some seconds. */
const preloadTimeoutMs = 30_000
/** Maximum time of a forced stop. */
const forcedStopMs = 1_000
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
 * rejoining) only when no commit is in flight, or when it is stopped by force.
 *
 * @throws KafkaError `INVALID_OPTION`, which names the option, or `MISSING_TRANSACTIONAL_ID`
 */
export function runStage<Event>(stage: Stage<Event>, options: StageOptions): RunningStage {
  assertValidStage(stage)
  assertValidStageOptions(options)
  assertValidDelivery(options)
  const runner = new StageRunner(stage, options)
  const onAbort = () => runner.stop()
  options.signal?.addEventListener('abort', onAbort)
  if (options.signal?.aborted) runner.stop()
  const finished = runner.run().finally(() => options.signal?.removeEventListener('abort', onAbort))
  finished.catch(() => {}) // avoids an unhandled rejection: callers may, but need not, await `finished`
  return {
    finished,
    stop: async ({ force = false } = {}) => {
      runner.stop(force)
      await finished.catch(() => {})
    },
    pause: () => runner.pause(),
    resume: () => runner.resume(),
    isReady: () => runner.isReady(),
    health: () => runner.health()
  }
}

class StageRunner {
  readonly #name: string
  readonly #topics: readonly string[]
  readonly #options: StageOptions
  readonly #observer: StageObserver
  readonly #stopping = new AbortController()
  /** Aborts when a stop must not wait any more. */
  readonly #forcing = new AbortController()
  readonly #health = new HealthRecord()
  readonly #parts: StageParts
  readonly #clusters: StageParts['clusters']
  readonly #fetcher: Fetcher
  readonly #member: GroupMember
  readonly #committer: Committer
  readonly #positions: GroupPositions
  readonly #opener: PartitionOpener
  readonly #pipeline: BatchPipeline
  readonly #idleCheck: NodeJS.Timeout
  #state: State = { name: 'opening' }
  /** Number of failures since the last commit. */
  #failures = 0

  constructor(stage: Stage<unknown>, options: StageOptions) {
    this.#name = stage.name
    this.#topics = stage.inputs.map(topic => topic.name)
    this.#options = options
    this.#observer = options.observer ?? {}
    const parts = createStageParts(stage, options, {
      forcing: this.#forcing.signal,
      onMembershipChange: () => this.#interrupt(),
      onTransient: error => this.#health.failed(error),
      onIdle: () => this.#health.progressed(),
      onCommitted: () => {
        this.#failures = 0
        this.#health.progressed()
      }
    })
    this.#parts = parts
    this.#clusters = parts.clusters
    this.#fetcher = parts.fetcher
    this.#member = parts.member
    this.#committer = parts.committer
    this.#positions = parts.positions
    this.#opener = parts.opener
    this.#pipeline = parts.pipeline
    this.#idleCheck = setInterval(() => this.#fetcher.wake(), markersIntervalMs)
  }

  isReady(): boolean {
    return !this.#member.mustRejoin && !this.#stopping.signal.aborted
  }

  health(): StageHealth {
    const state = this.#state
    const isPaused = state.name === 'working' && this.#fetcher.isPaused
    const lags = new Map(this.#fetcher.lags().map(own => [partitionKey(own), own.lag]))
    const assigned = 'assignment' in state ? state.assignment.partitions : []
    const partitions = assigned.map(own => ({ ...own, lag: lags.get(partitionKey(own)) }))
    return this.#health.of(isPaused ? 'paused' : state.name, partitions)
  }

  async pause(): Promise<void> {
    this.#fetcher.pause()
    await this.#pipeline.idle()
  }

  resume(): void {
    this.#fetcher.resume()
    this.#pipeline.stopWaiting()
  }

  stop(force = false): void {
    this.#stopping.abort(new KafkaError('CLOSED', 'the stage is stopping', { retryable: false }))
    if (force) this.#forcing.abort(new KafkaError('CLOSED', 'the stage was stopped by force', { retryable: false }))
    this.#interrupt()
  }

  async run(): Promise<void> {
    let failure: unknown
    try {
      if (!this.#stopping.signal.aborted) await Promise.race([this.#retryStates(), aborted(this.#forcing.signal)])
    } catch (error) {
      if (!this.#stopping.signal.aborted || (error as KafkaError).code === 'FENCED') failure = error
    }
    if (failure !== undefined) this.#health.failed(failure)
    await this.#stop()
    this.#health.ended(failure === undefined ? 'stopped' : 'failed')
    if (failure !== undefined) throw failure
  }

  #retryStates(): Promise<void> {
    return retryKafka(this.#name, () => this.#runStates(), {
      ...backoff,
      signal: this.#stopping.signal,
      delayMs: () => backoffMs(++this.#failures, backoff),
      onRetry: (error, _attempt, retryInMs) => {
        if (this.#state.name !== 'opening' && this.#state.name !== 'recovering') this.#enter({ name: 'joining' })
        this.#health.failed(error)
        const fields = { event: 'stage_retrying', error, stage: this.#name, retryInMs }
        this.#options.logger.warn(fields, 'transient error; retrying')
        for (const cluster of Object.values(this.#clusters)) cluster.forget()
      }
    })
  }

  async #runStates(): Promise<void> {
    while (this.#state.name !== 'stopping') {
      const next = await this.#next(this.#state)
      this.#forcing.signal.throwIfAborted() // the stage has ended without this work
      this.#enter(next)
    }
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
    const preloads = this.#topics.map(topic => this.#parts.blockedKeys.preload(topic, signal))
    for (const result of await Promise.allSettled(preloads)) {
      if (result.status === 'rejected')
        this.#options.logger.debug({ error: result.reason }, 'could not read a dead-letter topic before joining')
    }
  }

  async #join(): Promise<State> {
    const partitions = await this.#member.join(this.#stopping.signal)
    this.#observer.assigned?.({ partitions: partitions.length })
    this.#options.logger.info({ stage: this.#name, partitions: partitions.map(partitionKey) }, 'joined')
    this.#parts.troubles.retain(partitions)
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
      this.#forcing.signal.throwIfAborted()
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
    this.#health.failed(error)
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
    const wasWorking = this.#state.name === 'working'
    this.#enter({ name: 'stopping' })
    this.#parts.ticker?.stop()
    clearInterval(this.#idleCheck)
    // A forced stop waits only shortly for what needs a broker.
    const late = aborted(this.#forcing.signal).catch(() => delay(forcedStopMs, undefined, { ref: false }))
    await Promise.race([this.#release(wasWorking), late])
    await Promise.all(Object.values(this.#clusters).map(cluster => cluster.close()))
  }

  /** Ends the commit in flight, leaves the group and closes the producer. */
  async #release(wasWorking: boolean): Promise<void> {
    const { logger } = this.#options
    if (wasWorking && this.#forcing.signal.aborted) {
      const abort = () => this.#committer.recover()
      await this.#pipeline
        .abandon()
        .catch(abort)
        .catch(error => logger.debug({ error }, 'could not abort the transaction'))
    }
    // Leave even if the stage refuses to start: offsets of a group with members cannot be repaired.
    await this.#member.leave(this.#clusters.main).catch(error => logger.debug({ error }, 'could not leave the group'))
    this.#fetcher.stop()
    await this.#committer.close()
  }
}

/** Rejects with the reason of the signal when it aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return promise
}
