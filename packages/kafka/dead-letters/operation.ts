import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
import { addedHeaders, addHeaders, operationHeader, parkedCountHeader, releaseHeader, stageHeader } from './headers.ts'
import { type DeadLetter, isSourceless, placeOf, toReplayed } from './letter.ts'

/**
 * What was done with the dead letters of one key, as it is remembered in the dead-letter topic itself: a record with the same key,
 * written in the transaction that does it, with the header `dlq-operation`. Without `dlq-stage`, so stages pass over it.
 */
export interface OperationMark {
  /** Names the replay, on the replayed records and the release too. */
  readonly name: string
  readonly stage: string
  /** Letters, as `partition/offset` in the dead-letter topic. */
  readonly replayed: readonly string[]
  readonly dropped: readonly string[]
  /**
   * - **open**: more of the key's letters follow under the same name.
   * - **awaiting**: a release went out, and the stage will answer it.
   * - **done**: nothing follows and nothing is awaited.
   */
  readonly state: 'open' | 'awaiting' | 'done'
}

export function readMark(record: FetchedRecord): OperationMark | undefined {
  const name = addedHeaders(record)?.text(operationHeader)
  if (name === undefined || record.value === null) return undefined
  return { name, ...JSON.parse(record.value.toString()) }
}

export interface KeyOperation {
  readonly name: string
  /** Identifies the key in the book. */
  readonly keyID: string
  readonly key: Buffer | null
  readonly stage: string
  /** In the order in which they are to be processed. */
  readonly replay: readonly DeadLetter[]
  readonly drop: readonly DeadLetter[]
  readonly state: OperationMark['state']
  /** How many records are parked for the key; what the release says. */
  readonly parkedCount: number
}

/**
 * Returns everything that has to be written for an operation, all of it in one transaction.
 * @param originals what to write for the letters that are reduced
 */
export function operationRecords(
  operation: KeyOperation,
  originals: ReadonlyMap<DeadLetter, readonly OutputRecord[]> = new Map()
): OutputRecord[] {
  const { name, key, stage, replay, drop, state, parkedCount } = operation
  const [first] = [...replay, ...drop]
  if (first === undefined) return []
  const records = replay
    .filter(letter => !isSourceless(letter))
    .flatMap(letter => originals.get(letter) ?? [toReplayed(letter, name)])
  if (state === 'awaiting') {
    records.push({
      topic: first.source.topic,
      partition: (replay.at(-1) ?? first).source.partition,
      key,
      value: null,
      headers: addHeaders([], {
        [releaseHeader]: name,
        [stageHeader]: stage,
        [parkedCountHeader]: String(parkedCount)
      })
    })
  }
  const mark: Omit<OperationMark, 'name'> = { stage, replayed: replay.map(placeOf), dropped: drop.map(placeOf), state }
  const headers = addHeaders([['content-type', 'application/json']], { [operationHeader]: name })
  const { topic, partition } = first
  return [...records, { topic, partition, key, value: Buffer.from(JSON.stringify(mark)), headers }]
}
