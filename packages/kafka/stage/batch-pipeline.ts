import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { lookUpShapes } from '../consumer-group/topic-shapes.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import { failpoint, tickFailpoint } from '../failpoints.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { PartitionProgress, SkippedRange } from '../fetch/partition-state.ts'
import { recordRefusals } from '../producer/produce.ts'
import type { Logger } from '../records.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import { BatchSummary } from './batch-summary.ts'
import type { Committer, OpenBatch } from './committers.ts'
import type { GroupPositions } from './group-positions.ts'
import type { BatchProcessor } from './process-batch.ts'
import type { StageObserver } from './stage.ts'
import type { Ticker } from './ticker.ts'

const defaultMaxBatchBytes = 16 * 1024 * 1024

/** Interval at which a stage commits positions after transaction markers. */
export const markersIntervalMs = 1_000

export interface BatchPipelineOptions {
  readonly stageName: string
  readonly topics: readonly string[]
  /** Cluster for lookups of topics. */
  readonly cluster: Cluster
  readonly committer: Committer
  readonly fetcher: Fetcher
  readonly positions: GroupPositions
  readonly processor: BatchProcessor
  readonly ticker: Ticker | undefined
  readonly maxBatchRecords: number
  readonly maxBatchBytes: number | undefined
  readonly recordsInACall: number | undefined
  readonly observer: StageObserver
  readonly logger: Logger
  readonly onCommitted: () => void
  /** Called when there is nothing to process, and every batch is committed. */
  readonly onIdle: () => void
}

interface ProcessedBatch {
  readonly summary: BatchSummary
  readonly open: OpenBatch
}

/** Takes, processes and commits batches; runs due ticks and commits skipped positions in between. */
export class BatchPipeline {
  readonly #options: BatchPipelineOptions
  readonly #maxBatchBytes: number
  readonly #recordsInACall: number | undefined
  /**
   * Current limit of records in a batch; reduced while searching for the record whose output the
   * broker rejects.
   */
  #batchRecords: number
  #passedAtMs = performance.now()
  #isRunning = false
  #isAbandoned = false
  /** Commit in flight, or the last one. */
  #lastCommit: Promise<void> = Promise.resolve()
  /** Resolve when no batch is in flight. */
  #waiting: (() => void)[] = []

  constructor(options: BatchPipelineOptions) {
    this.#options = options
    this.#maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes
    this.#recordsInACall = options.recordsInACall
    this.#batchRecords = options.maxBatchRecords
  }

  /**
   * Processes batches in a pipeline until `mustEnd` returns true: batch N commits while batch N+1 is
   * processed.
   *
   * @throws any failure, and also then only once no commit is in flight
   */
  async run(mustEnd: () => boolean, signal: AbortSignal): Promise<void> {
    const { fetcher, positions, ticker } = this.#options
    let committing: Promise<void> = Promise.resolve()
    this.#isRunning = true
    this.#lastCommit = committing
    try {
      while (!mustEnd()) {
        if (ticker?.isDue === true && !fetcher.isPaused) {
          await committing
          await withOwnSignal(signal, own => this.#tick(ticker, own))
          if (mustEnd()) break // a later `take` would not be woken
        }
        const skips = fetcher.takeSkips()
        if (skips.length > 0) {
          await committing
          await this.#passSkips(skips)
          if (mustEnd()) break
        }
        const maxRecords = Math.min(this.#recordsInACall ?? Infinity, this.#batchRecords)
        const records = await fetcher.take(maxRecords, this.#maxBatchBytes)
        if (records.length === 0) {
          await committing
          this.#becomeIdle()
          await positions.checkIdle()
          if (!mustEnd()) await this.#passMarkers()
          continue
        }
        failpoint('batch-read')
        let batch: ProcessedBatch | undefined = await withOwnSignal(signal, own => this.#process(records, own))
        failpoint('batch-processed')
        await committing
        committing = this.#commit(batch)
        batch = undefined // releases its outputs before the next batch is read
        committing.catch(() => fetcher.wake()) // the next `await committing` throws the error
      }
      await committing
      await positions.saveCommits()
    } finally {
      await committing.catch(() => {})
      this.#isRunning = false
      this.stopWaiting()
    }
  }

  /** Resolves when no batch is in flight; the fetcher must be paused. */
  async idle(): Promise<void> {
    if (this.#isRunning) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Resolves all waits for an idle pipeline. */
  stopWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Prevents further commits. Resolves or rejects with the commit in flight, if there is one. */
  abandon(): Promise<void> {
    this.#isAbandoned = true
    return this.#lastCommit
  }

  #becomeIdle(): void {
    this.stopWaiting()
    this.#options.onIdle()
  }

  /**
   * Reports records that were removed before they were read, and commits the positions after them
   * so that they are reported only once.
   */
  async #passSkips(skips: readonly SkippedRange[]): Promise<void> {
    const { committer, fetcher, positions } = this.#options
    const skipped = new Set(skips.map(partitionKey))
    const isSkipped = (own: TopicPartition) => skipped.has(partitionKey(own))
    await positions.recordSkips(skips, () => this.#commitWith(committer.begin(), fetcher.progress().filter(isSkipped)))
  }

  /**
   * Returns, at most once a second, the positions that have advanced over transaction markers and
   * aborted transactions, without a record to process. Every record before them must be committed,
   * or belong to the batch that is committed with them. Committing them leaves no lag in partitions
   * without new records.
   */
  #takePassed(): PartitionProgress[] {
    if (performance.now() - this.#passedAtMs < markersIntervalMs || this.#options.fetcher.hasSkips()) return []
    this.#passedAtMs = performance.now()
    return this.#options.positions.uncommitted(this.#options.fetcher.progress())
  }

  /**
   * Commits the positions of `#takePassed` separately, when there is no batch that could include
   * them.
   */
  async #passMarkers(): Promise<void> {
    const passed = this.#takePassed()
    if (passed.length > 0) await this.#commitWith(this.#options.committer.begin(), passed)
  }

  /**
   * Processes one batch, in pieces if the stage limits the records in a call. Each piece is
   * decoded, processed and encoded before the next is taken.
   */
  async #process(first: readonly FetchedRecord[], signal: AbortSignal): Promise<ProcessedBatch> {
    const startMs = performance.now()
    const open = this.#options.committer.begin()
    const summary = new BatchSummary(first[0] as FetchedRecord)
    for (let piece = first; piece.length > 0; piece = await this.#nextPiece(summary, signal)) {
      await this.#options.processor.process(piece, open, signal)
      summary.add(piece)
    }
    this.#options.observer.processed?.({ records: summary.records, durationMs: performance.now() - startMs })
    return { summary, open }
  }

  async #nextPiece({ records, bytes }: BatchSummary, signal: AbortSignal): Promise<readonly FetchedRecord[]> {
    if (this.#recordsInACall === undefined || records >= this.#batchRecords || bytes >= this.#maxBatchBytes) return []
    await nextTurn() // lets the commit of the previous batch progress
    signal.throwIfAborted()
    const maxRecords = Math.min(this.#recordsInACall, this.#batchRecords - records)
    return this.#options.fetcher.takeBuffered(maxRecords, this.#maxBatchBytes - bytes)
  }

  #commit({ summary, open }: ProcessedBatch): Promise<void> {
    const startMs = performance.now()
    const own = new Set(summary.offsets.map(partitionKey))
    const passed = this.#takePassed().filter(passed => !own.has(partitionKey(passed)))
    const committing = this.#commitWith(open, [...summary.offsets, ...passed])
    return this.#watch(committing, { summary, startMs, outputs: open.outputs })
  }

  /** Commits a batch or positions; stores the progress first (GroupPositions). */
  async #commitWith(open: OpenBatch, offsets: readonly InputOffset[]): Promise<void> {
    if (this.#isAbandoned) throw new KafkaError('CLOSED', 'the stage was stopped by force', { retryable: false })
    this.#lastCommit = this.#options.positions.commit(offsets, group => open.commit(offsets, group))
    await this.#lastCommit
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
    this.#options.onCommitted()
    this.#batchRecords = Math.min(this.#options.maxBatchRecords, this.#batchRecords * 2)
    const durationMs = performance.now() - startMs
    const { records, timestampsMs } = summary
    this.#options.observer.committed?.({ records, outputs, durationMs, timestampsMs })
  }

  async #tick(ticker: Ticker, signal: AbortSignal): Promise<void> {
    const startMs = performance.now()
    const partitions = this.#options.fetcher.progress()
    if (ticker.tracksCompleteness) this.#options.fetcher.noteEnds()
    if (partitions.length === 0) return
    const { found } = await lookUpShapes(this.#options.cluster, this.#options.topics)
    const partitionCounts = new Map([...found].map(([topic, shape]) => [topic, shape.partitions]))
    const context = { partitions, partitionCounts, signal }
    const onFailure = (error: unknown) => this.#tickFailed(error, signal)
    const outputs = await ticker.run(context, onFailure)
    if (outputs.length === 0) return
    failpoint(tickFailpoint)
    const open = this.#options.committer.begin()
    await open.add(outputs)
    await this.#commitWith(open, partitions)
    failpoint('after-commit')
    this.#options.onCommitted()
    await ticker.committed(onFailure)
    this.#options.observer.ticked?.({ outputs: outputs.length, durationMs: performance.now() - startMs })
  }

  #tickFailed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return
    this.#options.observer.retried?.({ error })
    const fields = { event: 'tick_failed', error, stage: this.#options.stageName }
    this.#options.logger.warn(fields, 'tick failed; continuing with the next one')
  }

  /**
   * Finds the record whose output the broker rejects, by reading smaller batches. A batch of one
   * record marks that record as poison.
   */
  #narrowDown({ records, first }: BatchSummary, error: KafkaError): void {
    if (records === 1) this.#options.processor.markPoison(first, error)
    else this.#batchRecords = Math.ceil(records / 4)
  }
}

/**
 * Runs work with a separate signal that follows `outer`. What the work attaches to its signal is
 * released with it, although `outer` lives as long as the assignment.
 */
async function withOwnSignal<Result>(outer: AbortSignal, work: (signal: AbortSignal) => Promise<Result>) {
  const own = new AbortController()
  const onAbort = () => own.abort(outer.reason)
  outer.addEventListener('abort', onAbort)
  if (outer.aborted) onAbort()
  try {
    return await work(own.signal)
  } finally {
    outer.removeEventListener('abort', onAbort)
  }
}
