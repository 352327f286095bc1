import type { FetchedRecord } from '../committed-read/batch-records.ts'
import { KafkaError } from '../errors.ts'
import { partitionOf } from '../producer/partitioner.ts'
import type { Producer } from '../producer/producer.ts'
import type { OutputRecord } from '../records.ts'
import { deadLetterTopic } from '../stage/dead-letters.ts'
import { ParkedKeys } from '../stage/parked-keys.ts'
import { createBatchProcessor } from '../stage/process-batch.ts'
import type { RunningStage, Stage, StageOptions } from '../stage/stage.ts'
import { Ticker } from '../stage/ticker.ts'
import { fetchedRecord } from './fetched-record.ts'

/**
 * A broker for unit tests: topics as arrays, one writer at a time, a stage's outputs and offsets stored in one step.
 * It promises what the real one promises to the users of this package, and is held to it by the same contract test.
 */
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

/** '' and no bytes for a key and a value that are null. */
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

export interface InMemoryBroker {
  producer(): Producer
  /** In order of writing within each partition, partitions one after the other. */
  records(topic: string): RecordedRecord[]
  /** The same records, as a reader gets them. */
  fetched(topic: string): FetchedRecord[]
  /** The next `send` of any producer is refused with this, and writes nothing. */
  failNextSend(error: Error): void
  runStage<Event>(
    stage: Stage<Event>,
    options: Pick<StageOptions, 'isTransient' | 'logger' | 'observer' | 'maxBatchRecords'>
  ): RunningStage
  /** What a group has committed; 0 where it has not. */
  committedOffset(group: string, topic: string, partition: number): bigint
}

export function createInMemoryBroker(options: { partitions?: number } = {}): InMemoryBroker {
  const partitionCount = options.partitions ?? 4
  const logs = new Map<string, FetchedRecord[][]>()
  const committed = new Map<string, number>()
  const wakeUps = new Set<() => void>()
  let nextFailure: Error | undefined

  const log = (topic: string): FetchedRecord[][] => {
    let partitions = logs.get(topic)
    if (partitions === undefined) {
      partitions = Array.from({ length: partitionCount }, () => [])
      logs.set(topic, partitions)
    }
    return partitions
  }

  function append(records: readonly OutputRecord[]): void {
    for (const record of records) {
      const { topic } = record
      const partition = partitionOf(record, partitionCount)
      const target = log(topic)[partition] as FetchedRecord[]
      target.push(fetchedRecord({ topic, partition, offset: BigInt(target.length) }, record))
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
      async close() {
        closed = true
      }
    }
  }

  function runStage<Event>(stage: Stage<Event>, stageOptions: Parameters<InMemoryBroker['runStage']>[1]): RunningStage {
    const { isTransient, logger, observer = {}, maxBatchRecords = 2_000 } = stageOptions
    const { recordsInACall = maxBatchRecords } = stage
    const processor = createBatchProcessor(stage, { isTransient, logger, observer })
    const parkedKeys = new Map(stage.inputs.map(({ name }) => [name, new ParkedKeys(stage.name)]))
    for (const [name, parked] of parkedKeys)
      for (const record of log(deadLetterTopic(name)).flat()) parked.remember(record)
    processor.reset(parkedKeys)
    const stopping = new AbortController()
    let wake = () => {}
    const wakeThis = () => wake()
    wakeUps.add(wakeThis)

    const take = (): FetchedRecord[] => {
      const waiting = stage.inputs.flatMap(({ name }) =>
        log(name).flatMap((records, partition) =>
          records.slice(committed.get(`${stage.group} ${name}/${partition}`) ?? 0)
        )
      )
      return waiting.slice(0, Math.min(maxBatchRecords, recordsInACall))
    }

    const ticker = stage.tick && new Ticker(stage.tick, wakeThis)
    const tick = async (due: Ticker): Promise<void> => {
      const partitions = stage.inputs.flatMap(({ name }) =>
        log(name).map((records, partition) => {
          const offset = committed.get(`${stage.group} ${name}/${partition}`) ?? 0
          const completeUntilMs = offset === records.length ? { completeUntilMs: Date.now() } : {}
          return { topic: name, partition, offset: BigInt(offset), ...completeUntilMs }
        })
      )
      const partitionCounts = new Map(stage.inputs.map(({ name }) => [name, partitionCount]))
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
          if (ticker?.isDue === true) await tick(ticker)
          const batch = take()
          if (batch.length === 0) {
            if (ticker?.isDue === true || stopping.signal.aborted) continue
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
          append(outputs)
          for (const { topic, partition, offset } of batch)
            committed.set(`${stage.group} ${topic}/${partition}`, Number(offset) + 1)
          observer.committed?.({
            records: batch.length,
            outputs: outputs.length,
            durationMs: 0,
            timestampsMs: Float64Array.from(batch, ({ timestampMs }) => timestampMs)
          })
        }
      } catch (error) {
        if (!stopping.signal.aborted) throw error
      } finally {
        ticker?.stop()
        wakeUps.delete(wakeThis)
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
    producer,
    runStage,
    failNextSend: error => {
      nextFailure = error
    },
    committedOffset: (group, topic, partition) => BigInt(committed.get(`${group} ${topic}/${partition}`) ?? 0),
    records: topic => log(topic).flat().map(toRecorded),
    fetched: topic => log(topic).flat()
  }
}
