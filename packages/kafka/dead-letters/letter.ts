import type { FetchedRecord } from '../committed-read/batch-records.ts'
import type { OutputRecord } from '../records.ts'
import { headerOf, replayHeader, stageHeader } from '../stage/parked-keys.ts'

/** A record that stands in a dead-letter topic, with what its headers say of it. */
export interface DeadLetter {
  /** Where it lies: the dead-letter topic. */
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** When the record was written to its own topic, or replayed last. */
  readonly timestampMs: number
  readonly key: Buffer
  readonly value: Buffer | null
  /** As they came, those of the parking included. */
  readonly headers: Readonly<Record<string, Buffer>>
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
}

export interface LetterPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** On a replayed record: `partition/offset` at which it stood first. It stays on it when it is parked again. */
const originHeader = 'dlq-origin'
/** Those that parking adds, and that parking again would write anew. */
const parkingHeaders = new Set([
  'dlq-stage',
  'dlq-reason',
  'dlq-code',
  'dlq-topic',
  'dlq-partition',
  'dlq-offset',
  replayHeader,
  originHeader
])

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
  code: 'dlq-code',
  reason: 'dlq-reason',
  topic: 'dlq-topic',
  partition: 'dlq-partition',
  offset: 'dlq-offset'
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

/** What Connect sets aside has the headers of the record, too, so it may look like a part of a replay. */
export function isCopy({ headers }: FetchedRecord): boolean {
  return headers.has(connectHeaders.topic)
}

export function toLetter(record: FetchedRecord): DeadLetter {
  const { topic, partition, offset, timestampMs, value } = record
  const ofConnect = isCopy(record)
  const names = ofConnect ? connectHeaders : ownHeaders
  const text = (name: string): string => headerOf(record, name) ?? ''
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
    timestampMs,
    key: record.key ?? Buffer.alloc(0),
    value,
    headers: Object.fromEntries(
      [...record.headers].map(([name, content]) => [name, content === null ? Buffer.alloc(0) : Buffer.from(content)])
    ),
    stage: text(names.stage),
    // Of a Java class its own name.
    code: text(names.code).replace(/^.*\./, ''),
    reason: text(names.reason),
    source,
    origin,
    replay: ofConnect ? undefined : headerOf(record, replayHeader),
    isCopy: ofConnect
  }
}

/** The record as it was, on its way to where it stood, as part of a replay. */
export function toReplayed({ key, value, headers, stage, source, origin }: DeadLetter, replay: string): OutputRecord {
  const own = Object.entries(headers).filter(([name]) => !parkingHeaders.has(name))
  return {
    topic: source.topic,
    partition: source.partition,
    key,
    value,
    headers: {
      ...Object.fromEntries(own),
      [replayHeader]: replay,
      [stageHeader]: stage,
      [originHeader]: `${origin.partition}/${origin.offset}`
    }
  }
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
