import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { answerToRelease, BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { KafkaError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { Logger, OutputRecord, RecordHeaders, StageRecord, Topic } from '../records.ts'
import type { TopicPartition } from '../types.ts'
import type { RecordPosition } from './batch-summary.ts'
import { codeOf, type ReplayPart, replayPartOf, toDeadLetter } from './dead-letters.ts'
import { PositionConflictError } from './position-store.ts'
import type { PositionTracker } from './position-tracker.ts'
import type { Stage, StageObserver } from './stage.ts'

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

export interface BatchProcessorOptions {
  readonly isTransient: (error: unknown) => boolean
  readonly logger: Logger
  readonly observer: StageObserver
  /** Positions that `process` saves; set with a PositionStore. */
  readonly positions?: StagePositions
}

export interface StagePositions extends Pick<PositionTracker, 'covering' | 'saved'> {
  /**
   * Compares stored positions with committed offsets, unless that was done recently. @throws
   * PositionConflictError, or the reason why they cannot be compared
   */
  check?(): Promise<void>
  /**
   * Forces a comparison before the next use. Called after the database has failed, because another
   * database may answer next.
   */
  doubt?(): void
}

/** Error for positions that cannot be compared yet; retried, never a reason for a dead letter. */
class UncheckedError extends Error {
  override readonly name = 'UncheckedError'
}

const firstDelayMs = 50
const longestDelayMs = 5_000
/**
 * Records decoded before yielding to the event loop. The commit of the previous batch progresses in
 * between; its next request must not wait for thousands of records.
 */
const recordsInATurn = 1_000

export function createBatchProcessor<Event>(stage: Stage<Event>, options: BatchProcessorOptions): BatchProcessor {
  const { isTransient, logger, observer, positions: tracker } = options
  const topics = new Map(stage.inputs.map(topic => [topic.name, topic]))
  const poisonPositions = new Map<string, unknown>()
  let blockedKeys: ReadonlyMap<string, BlockedKeys> = new Map(
    stage.inputs.map(topic => [topic.name, new BlockedKeys(stage.name)])
  )

  async function process(fetched: readonly FetchedRecord[], sink: OutputSink, signal: AbortSignal): Promise<void> {
    await retry(signal, () => prepare(topics, fetched))
    await processInOrder(fetched, sink, signal)
  }

  /** Dead-letters poison and blocked records, processes the rest, and halves what fails. */
  async function processInOrder(
    fetched: readonly FetchedRecord[],
    sink: OutputSink,
    signal: AbortSignal
  ): Promise<void> {
    let deadLettered: OutputRecord[] = []
    let batch: FetchedRecord[] = []
    let records: StageRecord<Event>[] = []
    const processBatch = async () => {
      if (deadLettered.length > 0) await sink.add(deadLettered)
      if (records.length > 0) await processOrHalve(batch, records, sink, signal)
      deadLettered = []
      batch = []
      records = []
    }
    const deadLetterBehindItsKey = async (record: FetchedRecord, error: unknown) => {
      // Process earlier records with the same key first: they may fail too, and must not be treated
      // as followers of this one.
      if (batch.some(earlier => haveSameKey(earlier, record))) await processBatch()
      deadLettered.push(writeDeadLetter(record, error))
    }
    let inThisTurn = 0
    for (const record of fetched) {
      if (++inThisTurn > recordsInATurn) {
        await nextTurn()
        signal.throwIfAborted()
        inThisTurn = 1
      }
      const part = replayPartOf(record)
      if (part !== undefined && part.stage !== stage.name) continue
      if (part?.release !== undefined) {
        // The preceding records decide whether the release takes place.
        await processBatch()
        deadLettered.push(release(record, part.release, part))
        continue
      }
      const reason = record.defect ?? (poisonPositions.size === 0 ? undefined : poisonPositions.get(placeOf(record)))
      if (reason !== undefined) {
        await deadLetterBehindItsKey(record, reason)
        continue
      }
      if (followsBlockedOne(record, part)) {
        deadLettered.push(writeDeadLetter(record, followsBlocked))
        continue
      }
      try {
        records.push(decode(topics, record))
        batch.push(record)
      } catch (error) {
        await deadLetterBehindItsKey(record, error)
      }
    }
    await processBatch()
  }

  async function processOrHalve(
    batch: readonly FetchedRecord[],
    records: readonly StageRecord<Event>[],
    sink: OutputSink,
    signal: AbortSignal
  ): Promise<void> {
    let outputs: readonly OutputRecord[]
    try {
      outputs = await retry(signal, async () => {
        await checkPositions()
        const positions = tracker?.covering(batch) ?? []
        const processed = await stage.process(records, { signal, positions })
        tracker?.saved(positions)
        return processed
      })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof PositionConflictError) throw error
      const [first] = batch
      if (batch.length > 1 || first === undefined) {
        const middle = Math.ceil(batch.length / 2)
        await processInOrder(batch.slice(0, middle), sink, signal)
        return processInOrder(batch.slice(middle), sink, signal)
      }
      outputs = [writeDeadLetter(first, error)]
    }
    await sink.add(outputs)
  }

  function release({ topic, key }: FetchedRecord, replay: string, { blockingCount }: ReplayPart): OutputRecord {
    const isReleased = blockedKeys.get(topic)?.release(key, replay, blockingCount) === true
    return answerToRelease({ topic, key, replay, isReleased }, stage.name)
  }

  function followsBlockedOne(record: FetchedRecord, part: ReplayPart | undefined): boolean {
    const deadLettered = blockedKeys.get(record.topic)
    if (deadLettered === undefined || deadLettered.isEmpty) return false
    return deadLettered.blocks(record.key, part?.replay)
  }

  async function checkPositions(): Promise<void> {
    try {
      await tracker?.check?.()
    } catch (error) {
      if (error instanceof PositionConflictError) throw error
      throw new UncheckedError('the stored positions cannot be compared', { cause: error })
    }
  }

  /**
   * Retries until the attempt succeeds or fails permanently, with exponential backoff and jitter
   * that keeps instances out of step.
   */
  async function retry<Result>(signal: AbortSignal, attempt: () => Promise<Result>): Promise<Result> {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(longestDelayMs, delayMs * 2)) {
      try {
        return await attempt()
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof PositionConflictError) throw error
        if (!(error instanceof UncheckedError) && !isTransient(error)) throw error
        tracker?.doubt?.()
        logger.warn(
          { event: 'processing_retrying', error, stage: stage.name, retryInMs: delayMs },
          'processing failed with a transient error; retrying'
        )
        observer.retried?.({ error })
        await delay(delayMs * (0.5 + Math.random() / 2), undefined, { signal })
      }
    }
  }

  function writeDeadLetter(record: FetchedRecord, error: unknown): OutputRecord {
    const { topic, partition, offset } = record
    logger.error(
      {
        ...{ event: 'record_dead_lettered', error, stage: stage.name, topic, partition, offset: String(offset) },
        traceparent: record.headers.text('traceparent')
      },
      'record written to the dead-letter topic'
    )
    observer.deadLettered?.({ topic, reason: codeOf(error) })
    blockedKeys.get(topic)?.writeDeadLetter(record.key, replayPartOf(record)?.replay)
    return toDeadLetter(record, stage.name, error)
  }

  return {
    process,
    reset: keys => {
      blockedKeys = keys
    },
    markPoison: (position, error) => poisonPositions.set(placeOf(position), error),
    forget(partitions) {
      const places = partitions.map(({ topic, partition }) => `${topic}/${partition}/`)
      for (const place of poisonPositions.keys())
        if (places.some(start => place.startsWith(start))) poisonPositions.delete(place)
    }
  }
}

function haveSameKey(one: FetchedRecord, other: FetchedRecord): boolean {
  return one.topic === other.topic && other.key !== null && one.key?.equals(other.key) === true
}

const placeOf = ({ topic, partition, offset }: RecordPosition): string => `${topic}/${partition}/${offset}`

const followsBlocked = new KafkaError('KEY_BLOCKED', 'an earlier record with the same key is a dead letter', {
  retryable: false
})

async function prepare<Event>(
  topics: ReadonlyMap<string, Topic<Event>>,
  records: readonly FetchedRecord[]
): Promise<void> {
  for (const [name, { codec }] of topics) {
    const values: Buffer[] = []
    const headers: RecordHeaders[] = []
    for (const record of records) {
      if (record.topic !== name || !record.hasValue || record.defect !== undefined) continue
      if (record.isPreparedFor(codec)) continue
      values.push(record.value as Buffer)
      headers.push(record.headers)
    }
    if (values.length > 0) await codec.prepare(values, headers)
  }
}

function decode<Event>(topics: ReadonlyMap<string, Topic<Event>>, record: FetchedRecord): StageRecord<Event> {
  if (!record.hasValue) throw new Error('the record has no value')
  if (!record.hasKey) throw new Error('the record has no key')
  const { codec } = topics.get(record.topic) as Topic<Event>
  return new DecodedRecord(record, record.decode(codec))
}

class DecodedRecord<Event> implements StageRecord<Event> {
  readonly event: Event
  readonly #fetched: FetchedRecord

  constructor(fetched: FetchedRecord, event: Event) {
    this.#fetched = fetched
    this.event = event
  }

  get topic() {
    return this.#fetched.topic
  }

  get partition() {
    return this.#fetched.partition
  }

  get offset() {
    return this.#fetched.offset
  }

  get topicID() {
    return this.#fetched.topicID
  }

  get timestampMs() {
    return this.#fetched.timestampMs
  }

  get key() {
    return this.#fetched.key?.toString() ?? ''
  }

  get headers() {
    return this.#fetched.headers
  }
}
