import { setImmediate as nextTurn } from 'node:timers/promises'
import { answerToRelease, type BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { KafkaError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
import type { TopicPartition } from '../types.ts'
import type { RecordPosition } from './batch-summary.ts'
import { DecodedRecord, RecordClassifier, Section } from './classify-record.ts'
import { codeOf, type ReplayHeaders, toDeadLetter } from './dead-letters.ts'
import { PositionConflictError } from './position-store.ts'
import { checkPositions, type ProcessingRetryOptions, retryProcessing } from './retry-processing.ts'
import type { Stage } from './stage.ts'

/**
 * Turns fetched records into outputs: decodes and processes them, and dead-letters poison records.
 *
 * A transient error retries the whole batch: an unavailable database causes no dead letters, and no
 * record overtakes another. Any other error halves the batch repeatedly until the failing record is
 * alone. Its dead letter is one of the batch's outputs, in the same transaction as the others.
 * Later records with its key also become dead letters.
 */
export interface BatchProcessor {
  /**
   * Processes a batch and adds its outputs to the sink. @throws the signal's reason when it is
   * aborted while waiting; the caller then discards the outputs in the sink
   */
  process(records: readonly FetchedRecord[], sink: OutputSink, signal: AbortSignal): Promise<void>
  /**
   * Starts over with these blocked keys, by input topic; forgets keys that were blocked without a
   * commit.
   */
  reset(blockedKeys: ReadonlyMap<string, BlockedKeys>): void
  /**
   * Marks the record at this position as poison because the broker rejects its outputs. From then
   * on it is dead-lettered.
   */
  markPoison(position: RecordPosition, error: unknown): void
  /**
   * Forgets the poison marks in these partitions, because their offsets now belong to other
   * records.
   */
  forget(partitions: readonly TopicPartition[]): void
}

export interface OutputSink {
  add(outputs: readonly OutputRecord[]): Promise<void>
}

/**
 * Records decoded before yielding to the event loop. The commit of the previous batch progresses in
 * between; its next request must not wait for thousands of records.
 */
const recordsInATurn = 1_000

const followsBlocked = new KafkaError('KEY_BLOCKED', 'an earlier record with the same key is a dead letter', {
  retryable: false
})

export function createBatchProcessor<Event>(stage: Stage<Event>, options: ProcessingRetryOptions): BatchProcessor {
  return new StageBatchProcessor(stage, options)
}

/** Destination and end of the work on a batch. */
interface BatchContext {
  readonly sink: OutputSink
  readonly signal: AbortSignal
}

class StageBatchProcessor<Event> implements BatchProcessor {
  readonly #stage: Stage<Event>
  readonly #options: ProcessingRetryOptions
  readonly #classifier: RecordClassifier<Event>

  constructor(stage: Stage<Event>, options: ProcessingRetryOptions) {
    this.#stage = stage
    this.#options = options
    this.#classifier = new RecordClassifier(stage)
  }

  async process(fetched: readonly FetchedRecord[], sink: OutputSink, signal: AbortSignal): Promise<void> {
    await this.#retry(() => this.#classifier.prepare(fetched), signal)
    await this.#processInOrder(fetched, { sink, signal })
  }

  reset(blockedKeys: ReadonlyMap<string, BlockedKeys>): void {
    this.#classifier.reset(blockedKeys)
  }

  markPoison(position: RecordPosition, error: unknown): void {
    this.#classifier.markPoison(position, error)
  }

  forget(partitions: readonly TopicPartition[]): void {
    this.#classifier.forgetPoison(partitions)
  }

  /**
   * Processes the records in sections. A section ends where a decision about a record depends on
   * the results of earlier ones.
   */
  async #processInOrder(fetched: readonly FetchedRecord[], context: BatchContext): Promise<void> {
    let section = new Section<Event>()
    let inThisTurn = 0
    for (const record of fetched) {
      if (++inThisTurn > recordsInATurn) {
        await nextTurn()
        context.signal.throwIfAborted()
        inThisTurn = 1
      }
      const classified = this.#classifier.classify(record)
      if (classified instanceof DecodedRecord) {
        section.add(record, classified)
        continue
      }
      if (classified.reason === 'other-stage') continue
      if (classified.reason === 'follower') {
        section.deadLetters.push(this.#deadLetter(record, followsBlocked))
        continue
      }
      // The preceding records decide whether a release takes place. Those with the key of a poison
      // record may fail too, and must not be treated as followers of it.
      if (classified.reason === 'release' || section.hasKeyOf(record)) {
        await this.#processSection(section, context)
        section = new Section()
      }
      const isRelease = classified.reason === 'release'
      if (isRelease) section.deadLetters.push(this.#answerRelease(record, classified.replay, classified.headers))
      else section.deadLetters.push(this.#deadLetter(record, classified.error))
    }
    await this.#processSection(section, context)
  }

  async #processSection({ deadLetters, fetched, records }: Section<Event>, context: BatchContext): Promise<void> {
    if (deadLetters.length > 0) await context.sink.add(deadLetters)
    if (records.length === 0) return
    const { signal } = context
    const { positions: tracker } = this.#options
    let outputs: readonly OutputRecord[]
    try {
      outputs = await this.#retry(async () => {
        await checkPositions(tracker)
        const positions = tracker?.covering(fetched) ?? []
        const processed = await this.#stage.process(records, { signal, positions })
        tracker?.saved(positions)
        return processed
      }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof PositionConflictError) throw error
      return this.#bisect(fetched, error, context)
    }
    await context.sink.add(outputs)
  }

  /** Processes the halves of records that failed together; dead-letters a single record. */
  async #bisect(failed: readonly FetchedRecord[], error: unknown, context: BatchContext): Promise<void> {
    const [first] = failed
    if (failed.length === 1 && first !== undefined) return context.sink.add([this.#deadLetter(first, error)])
    const middle = Math.ceil(failed.length / 2)
    await this.#processInOrder(failed.slice(0, middle), context)
    await this.#processInOrder(failed.slice(middle), context)
  }

  #retry<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    return retryProcessing(this.#stage.name, work, { ...this.#options, signal })
  }

  #answerRelease(record: FetchedRecord, replay: string, headers: ReplayHeaders): OutputRecord {
    const isReleased = this.#classifier.release(record, replay, headers)
    return answerToRelease({ topic: record.topic, key: record.key, replay, isReleased }, this.#stage.name)
  }

  /** Logs the dead letter of a record, blocks its key, and returns it. */
  #deadLetter(record: FetchedRecord, error: unknown): OutputRecord {
    const { topic, partition, offset } = record
    const { logger, observer } = this.#options
    const position = { topic, partition, offset: String(offset) }
    logger.error(
      {
        ...{ event: 'record_dead_lettered', error, stage: this.#stage.name, ...position },
        traceparent: record.headers.text('traceparent')
      },
      'record written to the dead-letter topic'
    )
    observer.deadLettered?.({ topic, reason: codeOf(error) })
    this.#classifier.block(record)
    return toDeadLetter(record, this.#stage.name, error)
  }
}
