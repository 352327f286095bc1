import { randomUUID } from 'node:crypto'
import type { CommittedOffset } from '../consumer-group/committed-offsets.ts'
import type { PartitionsAdded } from '../consumer-group/member.ts'
import { reduceDeadLetter } from '../dead-letters/reduce.ts'
import { KafkaError, protocolError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { compressBatchSync, compressionFor } from '../producer/compression.ts'
import type { Producer } from '../producer/producer.ts'
import type { ProducerOptions } from '../producer/producer-options.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import { approximateBytes, type OutputRecord, partitionOf } from '../records.ts'
import type { RunningStage, Stage } from '../stage/stage.ts'
import { fetchedRecord } from './fetched-record.ts'
import { type InMemoryStageOptions, type InMemoryState, runInMemoryStage } from './in-memory-stage.ts'

/** A record of the in-memory broker, for assertions. */
export interface RecordedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
  /** The record byte for byte. */
  readonly bytes: {
    readonly key: Buffer | null
    readonly value: Buffer | null
    readonly headers: readonly (readonly [Buffer, Buffer | null])[]
  }
}

/** Converts a fetched record. A null key becomes '', a null value an empty buffer. */
export function toRecorded({
  topic,
  partition,
  offset,
  timestampMs,
  key,
  value,
  headers
}: FetchedRecord): RecordedRecord {
  return {
    ...{ topic, partition, offset, timestampMs },
    key: key?.toString() ?? '',
    value: value ?? Buffer.alloc(0),
    headers: headers.toObject(),
    bytes: { key, value, headers: [...headers] }
  }
}

/**
 * A broker for unit tests: topics are arrays, there is one writer at a time, and a stage's
 * outputs and offsets are stored in one step. It gives users of this package the same guarantees as
 * the real one, and passes the same contract test.
 */
export interface InMemoryBroker {
  /**
   * Sets the size limit of a topic (`max.message.bytes`; default 1,048,588). Topics need not be
   * created.
   */
  limitTopic(topic: string, maxMessageBytes: number): void
  /** Creates a producer for this broker. */
  producer(options?: Pick<ProducerOptions, 'signal'>): Producer
  /**
   * Returns the records in the order of writing within each partition, one partition after the
   * other.
   */
  records(topic: string): RecordedRecord[]
  /** Returns the same records as a fetch does. */
  fetched(topic: string): FetchedRecord[]
  /** Adds partitions to a topic. */
  growTopic(topic: string, partitions: number): void
  /** Removes the records of a partition before an offset, as retention does. */
  deleteRecords(topic: string, partition: number, offset: number): void
  /** Makes the next `send` of any producer fail with this error, without writing anything. */
  failNextSend(error: Error): void
  /** Makes the next commit of any stage fail with this error, without writing anything. */
  failNextCommit(error: Error): void
  /** Runs a stage on this broker, as `runStage` does on a real one. */
  runStage<Event>(stage: Stage<Event>, options: InMemoryStageOptions): RunningStage
  /**
   * Deletes the offsets of a group, as when the group is deleted or its offsets expire while its
   * stages are stopped.
   */
  forgetOffsets(group: string): void
  /** Deletes the topic and creates it again, empty. */
  recreateTopic(topic: string): void
  /** Returns the committed offset of a group, or 0. */
  committedOffset(group: string, topic: string, partition: number): bigint
}

const defaultMaxMessageBytes = 1_048_588
const messageTooLarge = 10

/**
 * Creates a broker without topics. Each topic gets `partitions` partitions (default 4) when it is
 * first used.
 */
export function createInMemoryBroker(options: { partitions?: number } = {}): InMemoryBroker {
  const partitionCount = options.partitions ?? 4
  const logs = new Map<string, FetchedRecord[][]>()
  const committed = new Map<string, CommittedOffset>()
  const limits = new Map<string, number>()
  const topicIDs = new Map<string, string>()
  /** First offset that is still in each log. */
  const beginnings = new Map<string, number>()
  const wakeUps = new Set<() => void>()
  const onPartitionsAdded = new Set<(event: PartitionsAdded) => void>()
  let nextFailure: Error | undefined
  let nextCommitFailure: Error | undefined

  const committedAt = (group: string, topic: string, partition: number): number =>
    Number(committed.get(`${group} ${topic}/${partition}`)?.offset ?? 0)

  const beginningOf = (topic: string, partition: number): number => beginnings.get(`${topic}/${partition}`) ?? 0

  const log = (topic: string): FetchedRecord[][] => {
    let partitions = logs.get(topic)
    if (partitions === undefined) {
      partitions = Array.from({ length: partitionCount }, () => [])
      logs.set(topic, partitions)
      topicIDs.set(topic, randomUUID())
    }
    return partitions
  }

  const topicIDOf = (topic: string): string => {
    log(topic)
    return topicIDs.get(topic) as string
  }

  /**
   * Returns the record, or the form of a dead letter that its topic accepts. @throws KafkaError
   * MESSAGE_TOO_LARGE
   */
  function accepted(record: OutputRecord): OutputRecord {
    const { topic } = record
    const maxBytes = limits.get(topic) ?? defaultMaxMessageBytes
    if (approximateBytes(record) < maxBytes / 4) return record
    const writer = { producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false }
    const batch = encodeRecordBatch({ records: [record], ...writer })
    if (compressBatchSync(batch, compressionFor(topic, 'none')).length <= maxBytes) return record
    const refusal = protocolError(messageTooLarge, `writing to ${topic}`)
    const reduced = reduceDeadLetter(record, refusal.code)
    if (reduced === undefined) throw refusal
    return accepted(reduced)
  }

  function append(given: readonly OutputRecord[]): void {
    const records = given.map(accepted)
    for (const record of records) {
      const { topic } = record
      const partition = partitionOf(record, log(topic).length)
      const target = log(topic)[partition] as FetchedRecord[]
      const place = { topic, partition, offset: BigInt(target.length), topicID: topicIDOf(topic) }
      target.push(fetchedRecord(place, record))
    }
    for (const wake of wakeUps) wake()
  }

  function producer({ signal: ofProducer }: Pick<ProducerOptions, 'signal'> = {}): Producer {
    let closed = false
    return {
      async send(records, { signal } = {}) {
        if (records.length === 0) return
        signal?.throwIfAborted()
        ofProducer?.throwIfAborted()
        if (closed) throw new KafkaError('CLOSED', 'the producer is closed', { retryable: false })
        const failure = nextFailure
        nextFailure = undefined
        if (failure !== undefined) throw failure
        append(records)
      },
      forgetFacts() {},
      async close() {
        closed = true
      }
    }
  }

  const state: InMemoryState = {
    ...{ committed, wakeUps, onPartitionsAdded, log, topicIDOf, beginningOf, committedAt, append },
    takeCommitFailure() {
      const failure = nextCommitFailure
      nextCommitFailure = undefined
      return failure
    }
  }

  return {
    limitTopic: (topic, maxMessageBytes) => void limits.set(topic, maxMessageBytes),
    producer,
    runStage: (stage, options) => runInMemoryStage(state, stage, options),
    growTopic(topic, to) {
      const partitions = log(topic)
      const from = partitions.length
      while (partitions.length < to) partitions.push([])
      for (const report of onPartitionsAdded) report({ topic, from, to })
    },
    deleteRecords(topic, partition, offset) {
      beginnings.set(`${topic}/${partition}`, offset)
      for (const wake of wakeUps) wake()
    },
    failNextSend: error => {
      nextFailure = error
    },
    failNextCommit: error => {
      nextCommitFailure = error
    },
    forgetOffsets(group) {
      for (const place of committed.keys()) if (place.startsWith(`${group} `)) committed.delete(place)
    },
    recreateTopic(topic) {
      logs.delete(topic)
      for (const place of beginnings.keys()) if (place.startsWith(`${topic}/`)) beginnings.delete(place)
      for (const place of committed.keys()) if (place.includes(` ${topic}/`)) committed.delete(place)
    },
    committedOffset: (group, topic, partition) => BigInt(committedAt(group, topic, partition)),
    records: topic => log(topic).flat().map(toRecorded),
    fetched: topic => log(topic).flat()
  }
}
