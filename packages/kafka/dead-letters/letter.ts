import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
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
} from './headers.ts'

/** A record that stands in a dead-letter topic, with what its headers say of it. */
export interface DeadLetter {
  /** Where it lies: the dead-letter topic. */
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** When the record was written to its own topic, or replayed last. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The record's own headers, in their order. Of a copy also those of Kafka Connect. */
  readonly headers: OwnHeaders
  readonly stage: string
  readonly code: string
  readonly reason: string
  /** Where it stood when it was parked. */
  readonly source: LetterPlace
  /** Where it stood before it was ever replayed: what gives the records of a key their order. */
  readonly origin: LetterPlace
  /** The replay in which it failed again. */
  readonly replay: string | undefined
  /** Kafka Connect's: no stage holds its key back, and the record itself stays where it stood, for everybody else. */
  readonly isCopy: boolean
  /** Set when the value is not here, but perhaps still at `source`. */
  readonly reduced: ReducedLetter | undefined
  /** Set when this stands for all records of a batch that cannot be read, from `source` on. */
  readonly batch: LetterBatch | undefined
}

export interface ReducedLetter {
  /** Code of what made the full form impossible. */
  readonly why: string
  /** -1 for a value that is null. */
  readonly valueBytes: number
  readonly valueSHA256: string | undefined
  /** How many of the record's own headers are missing. */
  readonly droppedHeaders: number
}

export interface LetterBatch {
  readonly lastOffset: bigint
  readonly records: number
  /** Size and checksum as it is in the log. */
  readonly bytes: number
  readonly sha256: string
}

export interface LetterPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

interface LetterHeaders {
  readonly stage: string
  readonly code: string
  readonly reason: string
  readonly topic: string
  readonly partition: string
  readonly offset: string
}

const ownHeaders: LetterHeaders = {
  stage: stageHeader,
  code: codeHeader,
  reason: reasonHeader,
  topic: topicHeader,
  partition: partitionHeader,
  offset: offsetHeader
}

/** `errors.deadletterqueue.context.headers.enable` of a sink connector. */
const connectHeaders: LetterHeaders = {
  stage: '__connect.errors.connector.name',
  code: '__connect.errors.exception.class.name',
  reason: '__connect.errors.exception.message',
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset'
}

/** Returns whether Kafka Connect wrote the letter: behind all headers of the record, added ones included, it puts its own. */
export function isCopy(record: FetchedRecord): boolean {
  return record.headers.has(connectHeaders.topic) && addedHeaders(record) === undefined
}

export function toLetter(record: FetchedRecord): DeadLetter {
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
    // Of a Java class its own name.
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

function reducedOf(added: AddedHeaders): ReducedLetter | undefined {
  const why = added.text(reducedHeader)
  if (why === undefined) return undefined
  return {
    why,
    valueBytes: Number(added.text(valueBytesHeader) ?? -1),
    valueSHA256: added.text(valueHashHeader),
    droppedHeaders: Number(added.text(droppedHeadersHeader) ?? 0)
  }
}

function batchOf(added: AddedHeaders): LetterBatch | undefined {
  const [, lastOffset] = /^\d{1,19}-(\d{1,19})$/.exec(added.text(batchHeader) ?? '') ?? []
  if (lastOffset === undefined) return undefined
  return {
    lastOffset: BigInt(lastOffset),
    records: Number(added.text(recordsHeader)),
    bytes: Number(added.text(batchBytesHeader)),
    sha256: added.text(batchHashHeader) ?? ''
  }
}

/** Returns the record as it was, for the partition that it was in, as part of a replay. */
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

/** Returns the text of the first header of this name that the record itself has. */
export function letterHeader({ headers }: DeadLetter, name: string): string | undefined {
  return headers.find(([candidate]) => candidate.toString() === name)?.[1]?.toString()
}

/** It did not come from a topic, so it cannot be written there again, and no stage holds its key back for it. */
export function isSourceless({ source }: DeadLetter): boolean {
  return source.topic === ''
}

/** Where it lies in its dead-letter topic. */
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
