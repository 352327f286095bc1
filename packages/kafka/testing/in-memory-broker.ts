import { randomUUID } from 'node:crypto'
import type { CommittedOffset } from '../consumer-group/committed-offsets.ts'
import type { PartitionsAdded } from '../consumer-group/member.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { reduceDeadLetter } from '../dead-letters/reduce.ts'
import { deadLetterTopic, isDeadLetterTopic } from '../dead-letters/topics.ts'
import { KafkaError, protocolError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { recordRefusals } from '../producer/produce.ts'
import type { Producer } from '../producer/producer.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import { approximateBytes, type OutputRecord, partitionOf } from '../records.ts'
import { BatchSummary } from '../stage/batch-summary.ts'
import { PositionTracker } from '../stage/position-tracker.ts'
import { createBatchProcessor } from '../stage/process-batch.ts'
import { refusalOf } from '../stage/refuse-start.ts'
import type { RunningStage, Stage, StageOptions } from '../stage/stage.ts'
import { isAdded, startOf } from '../stage/starting-positions.ts'
import { Ticker } from '../stage/ticker.ts'
import { fetchedRecord } from './fetched-record.ts'

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
  producer(): Producer
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
  runStage<Event>(
    stage: Stage<Event>,
    options: Pick<StageOptions, 'isTransient' | 'logger' | 'observer' | 'maxBatchRecords' | 'positions'>
  ): RunningStage
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

const isRefusal = (error: unknown) => error instanceof KafkaError && recordRefusals.has(error.code)
const defaultMaxMessageBytes = 1_048_588
const messageTooLarge = 10

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
    const isCompressed = isDeadLetterTopic(topic)
    const writer = { producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false }
    if (encodeRecordBatch({ records: [record], isCompressed, ...writer }).length <= maxBytes) return record
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

  function producer(): Producer {
    let closed = false
    return {
      async send(records) {
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

  function runStage<Event>(stage: Stage<Event>, stageOptions: Parameters<InMemoryBroker['runStage']>[1]): RunningStage {
    const { isTransient, logger, observer = {}, maxBatchRecords = 2_000, positions: store } = stageOptions
    const { recordsInACall = maxBatchRecords } = stage
    const positions = new PositionTracker()
    const processor = createBatchProcessor(stage, { isTransient, logger, observer, ...(store && { positions }) })
    let batchRecords = Math.min(maxBatchRecords, recordsInACall)
    const stopping = new AbortController()
    let wake = () => {}
    const wakeThis = () => wake()
    wakeUps.add(wakeThis)
    let mustBegin = false
    const reportAdded = (event: PartitionsAdded) => {
      if (!stage.inputs.some(({ name }) => name === event.topic)) return
      observer.partitionsAdded?.({ stage: stage.name, ...event })
      mustBegin = true
      wake()
    }
    onPartitionsAdded.add(reportAdded)

    const begin = async (): Promise<void> => {
      const stored = (await store?.load()) ?? []
      const starts = stage.inputs.flatMap(({ name: topic }) =>
        log(topic).map((records, partition) =>
          startOf({
            ...{ topic, partition, topicID: topicIDOf(topic), formerTopicID: undefined, epochEnd: undefined },
            committed: committed.get(`${stage.group} ${topic}/${partition}`),
            log: { beginning: BigInt(beginningOf(topic, partition)), end: BigInt(records.length) },
            store: store && {
              whenBehind: store.whenBehind,
              stored: stored.find(own => own.topic === topic && own.partition === partition),
              isAdded: isAdded({ topic, partition }, stored)
            }
          })
        )
      )
      const refused = starts.filter(({ refusal }) => refusal !== undefined)
      const changes = refused.length > 0 ? [] : starts.flatMap(({ change }) => change ?? [])
      const incidents = starts.flatMap(({ incident }) => incident ?? [])
      await store?.replace(changes, incidents)
      if (store !== undefined && refused.length > 0) throw refusalOf(stage.group, refused, store)
      for (const start of starts.filter(({ mustCommit }) => mustCommit)) commit(start)
      positions.reset(starts)
      const blockedKeys = new Map(stage.inputs.map(({ name }) => [name, new BlockedKeys(stage.name)]))
      for (const [name, deadLettered] of blockedKeys)
        for (const record of log(deadLetterTopic(name)).flat()) deadLettered.remember(record)
      processor.reset(blockedKeys)
    }

    const commit = ({ topic, partition, topicID, offset, leaderEpoch = -1 }: InputOffset): void => {
      committed.set(`${stage.group} ${topic}/${partition}`, { topic, partition, topicID, offset, leaderEpoch })
    }

    const passSkips = async (): Promise<void> => {
      for (const { name: topic } of stage.inputs) {
        for (const partition of log(topic).keys()) {
          const [from, to] = [committedAt(stage.group, topic, partition), beginningOf(topic, partition)]
          if (from >= to) continue
          const range = { topic, partition, fromOffset: BigInt(from), toOffset: BigInt(to) }
          const offset = { topic, partition, topicID: topicIDOf(topic), offset: BigInt(to) }
          await store?.replace([], [{ kind: 'offsets_skipped', ...range }])
          await store?.advance(positions.upTo([offset]))
          commit(offset)
          observer.skipped?.({ stage: stage.name, topic, partition, from: range.fromOffset, to: range.toOffset })
        }
      }
    }

    const take = (): FetchedRecord[] => {
      const waiting = stage.inputs.flatMap(({ name }) =>
        log(name).flatMap((records, partition) => records.slice(committedAt(stage.group, name, partition)))
      )
      return waiting.slice(0, batchRecords)
    }

    /**
     * Finds the record whose output is rejected: each record is processed again alone, and that one
     * becomes a dead letter.
     */
    const narrowDown = (batch: readonly FetchedRecord[], error: unknown): void => {
      if (!isRefusal(error)) return
      const [first] = batch
      if (batch.length > 1 || first === undefined) batchRecords = 1
      else processor.markPoison(first, error)
    }

    const ticker = stage.tick && new Ticker(stage.tick, wakeThis)
    const tick = async (due: Ticker): Promise<void> => {
      const partitions = stage.inputs.flatMap(({ name }) =>
        log(name).map((records, partition) => {
          const offset = committedAt(stage.group, name, partition)
          const completeUntilMs = offset === records.length ? { completeUntilMs: Date.now() } : {}
          return { topic: name, partition, offset: BigInt(offset), ...completeUntilMs }
        })
      )
      const partitionCounts = new Map(stage.inputs.map(({ name }) => [name, log(name).length]))
      const onFailure = (error: unknown) => observer.retried?.({ error })
      const outputs = await due.run({ partitions, partitionCounts, signal: stopping.signal }, onFailure)
      if (outputs.length === 0) return
      append(outputs)
      await due.committed(onFailure)
      observer.ticked?.({ outputs: outputs.length, durationMs: 0 })
    }

    const run = async (): Promise<void> => {
      try {
        while (!stopping.signal.aborted) {
          mustBegin = false
          await begin()
          try {
            await work()
          } catch (error) {
            if (stopping.signal.aborted || !(error instanceof KafkaError)) throw error
            if (!error.retryable && !isRefusal(error)) throw error
            observer.aborted?.({ reason: error.code })
          }
        }
      } catch (error) {
        if (!stopping.signal.aborted) throw error
      } finally {
        ticker?.stop()
        wakeUps.delete(wakeThis)
        onPartitionsAdded.delete(reportAdded)
      }
    }

    const work = async (): Promise<void> => {
      while (!stopping.signal.aborted && !mustBegin) {
        if (ticker?.isDue === true) await tick(ticker)
        await passSkips()
        const batch = take()
        if (batch.length === 0) {
          if (ticker?.isDue === true || stopping.signal.aborted || mustBegin) continue
          await new Promise<void>(resolve => {
            wake = resolve
          })
          continue
        }
        const outputs: OutputRecord[] = []
        const sink = {
          add: async (more: readonly OutputRecord[]) => {
            outputs.push(...more)
          }
        }
        await processor.process(batch, sink, stopping.signal)
        observer.processed?.({ records: batch.length, durationMs: 0 })
        const summary = new BatchSummary(batch[0] as FetchedRecord)
        summary.add(batch)
        const rest = positions.upTo(summary.offsets)
        if (rest.length > 0) await store?.advance(rest)
        positions.saved(rest)
        const failure = nextCommitFailure
        nextCommitFailure = undefined
        if (failure !== undefined) throw failure
        try {
          append(outputs)
        } catch (error) {
          narrowDown(batch, error)
          throw error
        }
        batchRecords = Math.min(maxBatchRecords, recordsInACall, batchRecords * 2)
        for (const offset of summary.offsets) commit(offset)
        positions.committed(summary.offsets)
        observer.committed?.({
          records: batch.length,
          outputs: outputs.length,
          durationMs: 0,
          timestampsMs: summary.timestampsMs
        })
      }
    }

    const finished = run()
    finished.catch(() => {})
    return {
      finished,
      isReady: () => !stopping.signal.aborted,
      async stop() {
        stopping.abort(new KafkaError('CLOSED', 'the stage is stopping', { retryable: false }))
        wake()
        await finished.catch(() => {})
      }
    }
  }

  return {
    limitTopic: (topic, maxMessageBytes) => void limits.set(topic, maxMessageBytes),
    producer,
    runStage,
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
