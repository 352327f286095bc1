import {
  addedHeaders,
  addHeaders,
  blockingCountHeader,
  operationHeader,
  releaseHeader,
  stageHeader
} from '../dead-letters/headers.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
import { type DeadLetter, isSourceless, placeOf, toReplayed } from './dead-letter.ts'

/**
 * Mark of an operation on the dead letters of one key, stored in the dead-letter topic itself: a
 * record with the same key and the header `dlq-operation`, written in the transaction of the
 * operation. It has no header `dlq-stage`, so stages skip it.
 */
export interface OperationMark {
  /** Name of the replay; also on the replayed records and the release. */
  readonly name: string
  readonly stage: string
  /** Positions of the replayed dead letters, as `partition/offset` in the dead-letter topic. */
  readonly replayed: readonly string[]
  readonly dropped: readonly string[]
  /**
   * State of the operation:
   *
   * - **open**: more dead letters of the key follow under the same name.
   * - **awaiting**: a release was written, and the stage will answer it.
   * - **done**: nothing follows and no answer is expected.
   */
  readonly state: 'open' | 'awaiting' | 'done'
}

export function readMark(record: FetchedRecord): OperationMark | undefined {
  const name = addedHeaders(record)?.text(operationHeader)
  if (name === undefined || record.value === null) return undefined
  return { name, ...JSON.parse(record.value.toString()) }
}

/** Replay or drop of dead letters of one key. */
export interface KeyOperation {
  readonly name: string
  /** Id of the key in the book. */
  readonly keyID: string
  readonly key: Buffer | null
  readonly stage: string
  /** Dead letters to replay, in processing order. */
  readonly replay: readonly DeadLetter[]
  readonly drop: readonly DeadLetter[]
  readonly state: OperationMark['state']
  /** Number of dead letters of the key, written into the release. */
  readonly blockingCount: number
}

/**
 * Returns all records of an operation, to be written in one transaction.
 *
 * @param originals records to write for dead letters without a value
 */
export function operationRecords(
  operation: KeyOperation,
  originals: ReadonlyMap<DeadLetter, readonly OutputRecord[]> = new Map()
): OutputRecord[] {
  const { name, key, stage, replay, drop, state, blockingCount } = operation
  const [first] = [...replay, ...drop]
  if (first === undefined) return []
  const records = replay
    .filter(deadLetter => !isSourceless(deadLetter))
    .flatMap(deadLetter => originals.get(deadLetter) ?? [toReplayed(deadLetter, name)])
  if (state === 'awaiting') {
    records.push({
      topic: first.source.topic,
      partition: (replay.at(-1) ?? first).source.partition,
      key,
      value: null,
      headers: addHeaders([], {
        [releaseHeader]: name,
        [stageHeader]: stage,
        [blockingCountHeader]: String(blockingCount)
      })
    })
  }
  const mark: Omit<OperationMark, 'name'> = { stage, replayed: replay.map(placeOf), dropped: drop.map(placeOf), state }
  const headers = addHeaders([['content-type', 'application/json']], { [operationHeader]: name })
  const { topic, partition } = first
  return [...records, { topic, partition, key, value: Buffer.from(JSON.stringify(mark)), headers }]
}
