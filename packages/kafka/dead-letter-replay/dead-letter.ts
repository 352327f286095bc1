import {
  type AddedHeaders,
  addedHeaders,
  addHeaders,
  batchBytesHeader,
  batchHashHeader,
  batchHeader,
  codeHeader,
  droppedHeadersHeader,
  keyHeader,
  type OwnHeaders,
  offsetHeader,
  originHeader,
  partitionHeader,
  reasonHeader,
  recordsHeader,
  reducedHeader,
  replayHeader,
  splitHeaders,
  stageHeader,
  timestampHeader,
  topicHeader,
  valueBytesHeader,
  valueHashHeader
} from '../dead-letters/headers.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord } from '../records.ts'

/** A record of a dead-letter topic, with the contents of its headers. */
export interface DeadLetter {
  /** Name of the dead-letter topic. */
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Time when the record was written to its own topic, or last replayed. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The record's own headers, in order. For a copy they include those of Kafka Connect. */
  readonly headers: OwnHeaders
  readonly stage: string
  readonly code: string
  readonly reason: string
  /** Position of the record when it became a dead letter. */
  readonly source: DeadLetterPosition
  /**
   * Original position of the record before any replay; determines the order of the records of a
   * key.
   */
  readonly origin: DeadLetterPosition
  /** Name of the replay in which the record failed again. */
  readonly replay: string | undefined
  /**
   * True for a dead letter of Kafka Connect: no stage blocks its key, and other readers still
   * process the record.
   */
  readonly isCopy: boolean
  /** Set if the value is missing here, but possibly still exists at `source`. */
  readonly reduced: ReducedDeadLetter | undefined
  /**
   * Set if the dead letter represents all records of an unreadable batch. `source` is the position
   * of the first of them.
   */
  readonly batch: DeadLetterBatch | undefined
}

/** Missing parts of a dead letter that was too large for its topic. */
export interface ReducedDeadLetter {
  /** Code of the error that made the full form impossible. */
  readonly why: string
  /** Size of the value; -1 for null. */
  readonly valueBytes: number
  readonly valueSHA256: string | undefined
  /** Number of the record's own headers that are missing. */
  readonly droppedHeaders: number
}

/** Batch that could not be read and became one dead letter. */
export interface DeadLetterBatch {
  readonly lastOffset: bigint
  readonly records: number
  /** Size and checksum of the batch in the log. */
  readonly bytes: number
  readonly sha256: string
}

/** Position of a record in its topic. */
export interface DeadLetterPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

interface DeadLetterHeaders {
  readonly stage: string
  readonly code: string
  readonly reason: string
  readonly topic: string
  readonly partition: string
  readonly offset: string
}

const ownHeaders: DeadLetterHeaders = {
  stage: stageHeader,
  code: codeHeader,
  reason: reasonHeader,
  topic: topicHeader,
  partition: partitionHeader,
  offset: offsetHeader
}

/** Headers written by a sink connector with `errors.deadletterqueue.context.headers.enable`. */
const connectHeaders: DeadLetterHeaders = {
  stage: '__connect.errors.connector.name',
  code: '__connect.errors.exception.class.name',
  reason: '__connect.errors.exception.message',
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset'
}

/**
 * Returns true if Kafka Connect wrote the dead letter. Connect adds its headers after all others,
 * including added ones.
 */
export function isCopy(record: FetchedRecord): boolean {
  return record.headers.has(connectHeaders.topic) && addedHeaders(record) === undefined
}

/**
 * Returns the dead letter in a record of a dead-letter topic. Missing headers become empty text.
 */
export function parseDeadLetter(record: FetchedRecord): DeadLetter {
  const { topic, partition, offset, timestampMs, value } = record
  const { own, added } = splitHeaders(record)
  const ofConnect = isCopy(record)
  const names = ofConnect ? connectHeaders : ownHeaders
  const last = new Map(own.map(([name, content]) => [name.toString(), content]))
  const text = (name: string): string => (ofConnect ? last.get(name)?.toString() : added?.text(name)) ?? ''
  const source = {
    topic: text(names.topic),
    partition: toIndex(text(names.partition)),
    offset: toOffset(text(names.offset))
  }
  const [, originPartition, originOffset] = ofConnect ? [] : (/^(\d+)\/(\d+)$/.exec(text(originHeader)) ?? [])
  const origin =
    originPartition === undefined || originOffset === undefined
      ? source
      : { topic: source.topic, partition: toIndex(originPartition), offset: toOffset(originOffset) }
  return {
    topic,
    partition,
    offset,
    timestampMs: Number(added?.text(timestampHeader) ?? timestampMs),
    key: added?.bytes(keyHeader) ?? record.key,
    value,
    headers: own,
    stage: text(names.stage),
    // Keeps only the simple name of a Java class.
    code: text(names.code).replace(/^.*\./, ''),
    reason: text(names.reason),
    source,
    origin,
    replay: ofConnect ? undefined : added?.text(replayHeader),
    isCopy: ofConnect,
    reduced: added && reducedOf(added),
    batch: added && batchOf(added)
  }
}

function reducedOf(added: AddedHeaders): ReducedDeadLetter | undefined {
  const why = added.text(reducedHeader)
  if (why === undefined) return undefined
  return {
    why,
    valueBytes: Number(added.text(valueBytesHeader) ?? -1),
    valueSHA256: added.text(valueHashHeader),
    droppedHeaders: Number(added.text(droppedHeadersHeader) ?? 0)
  }
}

function batchOf(added: AddedHeaders): DeadLetterBatch | undefined {
  const [, lastOffset] = /^\d{1,19}-(\d{1,19})$/.exec(added.text(batchHeader) ?? '') ?? []
  if (lastOffset === undefined) return undefined
  return {
    lastOffset: BigInt(lastOffset),
    records: Number(added.text(recordsHeader)),
    bytes: Number(added.text(batchBytesHeader)),
    sha256: added.text(batchHashHeader) ?? ''
  }
}

/** Returns the original record, for its original partition, as part of a replay. */
export function toReplayed({ key, value, headers, stage, source, origin }: DeadLetter, replay: string): OutputRecord {
  return {
    topic: source.topic,
    partition: source.partition,
    key,
    value,
    headers: addHeaders(headers, {
      [replayHeader]: replay,
      [stageHeader]: stage,
      [originHeader]: `${origin.partition}/${origin.offset}`
    })
  }
}

/** Returns the text of the first header with this name among the record's own headers. */
export function deadLetterHeader({ headers }: DeadLetter, name: string): string | undefined {
  return headers.find(([candidate]) => candidate.toString() === name)?.[1]?.toString()
}

/**
 * Returns true for a dead letter that did not originate from a topic: it cannot be replayed there,
 * and blocks no key.
 */
export function isSourceless({ source }: DeadLetter): boolean {
  return source.topic === ''
}

/** Returns the position in the dead-letter topic. */
export function placeOf({ partition, offset }: DeadLetter): string {
  return `${partition}/${offset}`
}

export function compareOrigins({ origin: a }: DeadLetter, { origin: b }: DeadLetter): number {
  if (a.partition !== b.partition) return a.partition - b.partition
  return a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0
}

function toIndex(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : 0
}

function toOffset(text: string): bigint {
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
}
