import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord, RecordHeaders, StageRecord, Topic } from '../records.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import type { RecordPosition } from './batch-summary.ts'
import { type ReplayHeaders, replayHeadersOf } from './dead-letters.ts'
import type { Stage } from './stage.ts'

/** Why `process` does not receive a record. */
export type Exclusion =
  /** Written by a replay of another stage; this stage has processed it before. */
  | { readonly reason: 'other-stage' }
  /** Completes a replay. */
  | { readonly reason: 'release'; readonly replay: string; readonly headers: ReplayHeaders }
  /** Cannot be read, decoded, or written with its outputs. */
  | { readonly reason: 'poison'; readonly error: unknown }
  /** Follows a dead letter with the same key. */
  | { readonly reason: 'follower' }

const fromOtherStage: Exclusion = { reason: 'other-stage' }
const follower: Exclusion = { reason: 'follower' }

/** Decides for each record of a batch, in order, whether `process` receives it. */
export class RecordClassifier<Event> {
  readonly #stageName: string
  readonly #topics: ReadonlyMap<string, Topic<Event>>
  /** Errors of the records marked as poison, by partition and offset. */
  readonly #poison = new Map<string, unknown>()
  #blockedKeys: ReadonlyMap<string, BlockedKeys>

  constructor({ name, inputs }: Stage<Event>) {
    this.#stageName = name
    this.#topics = new Map(inputs.map(topic => [topic.name, topic]))
    this.#blockedKeys = new Map(inputs.map(topic => [topic.name, new BlockedKeys(name)]))
  }

  reset(blockedKeys: ReadonlyMap<string, BlockedKeys>): void {
    this.#blockedKeys = blockedKeys
  }

  markPoison(position: RecordPosition, error: unknown): void {
    this.#poison.set(positionKey(position), error)
  }

  forgetPoison(partitions: readonly TopicPartition[]): void {
    const prefixes = partitions.map(partition => `${partitionKey(partition)}/`)
    for (const key of this.#poison.keys()) if (prefixes.some(prefix => key.startsWith(prefix))) this.#poison.delete(key)
  }

  /** Loads what the codecs need for these records, such as schemas. */
  async prepare(records: readonly FetchedRecord[]): Promise<void> {
    for (const [name, { codec }] of this.#topics) {
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

  /** Returns the decoded record, or the reason why `process` does not receive it. */
  classify(record: FetchedRecord): DecodedRecord<Event> | Exclusion {
    const headers = replayHeadersOf(record)
    if (headers !== undefined) {
      if (headers.stage !== this.#stageName) return fromOtherStage
      if (headers.release !== undefined) return { reason: 'release', replay: headers.release, headers }
    }
    const defect = record.defect ?? (this.#poison.size === 0 ? undefined : this.#poison.get(positionKey(record)))
    if (defect !== undefined) return { reason: 'poison', error: defect }
    if (this.#isBlocked(record, headers)) return follower
    try {
      return this.#decode(record)
    } catch (error) {
      return { reason: 'poison', error }
    }
  }

  /** Blocks the key of a record that becomes a dead letter. */
  block(record: FetchedRecord): void {
    this.#blockedKeys.get(record.topic)?.writeDeadLetter(record.key, replayHeadersOf(record)?.replay)
  }

  /** Unblocks the key of a release if its replay contains all dead letters of the key. */
  release({ topic, key }: FetchedRecord, replay: string, { blockingCount }: ReplayHeaders): boolean {
    return this.#blockedKeys.get(topic)?.release(key, replay, blockingCount) === true
  }

  #isBlocked(record: FetchedRecord, headers: ReplayHeaders | undefined): boolean {
    const blockedKeys = this.#blockedKeys.get(record.topic)
    if (blockedKeys === undefined || blockedKeys.isEmpty) return false
    return blockedKeys.blocks(record.key, headers?.replay)
  }

  #decode(record: FetchedRecord): DecodedRecord<Event> {
    if (!record.hasValue) throw new Error('the record has no value')
    if (!record.hasKey) throw new Error('the record has no key')
    const { codec } = this.#topics.get(record.topic) as Topic<Event>
    return new DecodedRecord(record, record.decode(codec))
  }
}

/**
 * Records for one call of `process`, and the dead letters and answers to releases that precede its
 * outputs.
 */
export class Section<Event> {
  readonly deadLetters: OutputRecord[] = []
  readonly fetched: FetchedRecord[] = []
  readonly records: StageRecord<Event>[] = []

  add(fetched: FetchedRecord, record: StageRecord<Event>): void {
    this.fetched.push(fetched)
    this.records.push(record)
  }

  /** Returns true if an earlier record to process has the same key. */
  hasKeyOf({ topic, key }: FetchedRecord): boolean {
    return this.fetched.some(earlier => earlier.topic === topic && key !== null && earlier.key?.equals(key) === true)
  }
}

function positionKey({ topic, partition, offset }: RecordPosition): string {
  return `${partitionKey({ topic, partition })}/${offset}`
}

export class DecodedRecord<Event> implements StageRecord<Event> {
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
