import type { Cluster } from '../cluster/cluster.ts'
import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import { toKafkaError } from '../errors.ts'
import { recordsIn } from '../inspect/first-record.ts'
import type { OutputRecord } from '../records.ts'
import { addedHeaders, addHeaders, originHeader, splitHeaders, stageHeader } from './headers.ts'
import { type DeadLetter, toReplayed } from './letter.ts'
import { sha256 } from './reduce.ts'

/**
 * The records that dead letters without a value stand for, read at their positions in their own topics.
 *
 * - A **reduced** dead letter stands for one record. Size and checksum show whether that record is still at its position: the topic may
 *   have been recreated.
 * - The dead letter of a **batch** stands for all records of a batch that was too large or damaged. They are replayed as ordinary records: their
 *   keys are not blocked by this dead letter, but may be by others, and then they follow those.
 */
export type OriginalState =
  | { readonly state: 'present' }
  /** Retention, or the deletion of records, has removed it. */
  | { readonly state: 'removed' }
  /** Another record is at its position. */
  | { readonly state: 'replaced' }
  /** It is there, but cannot be read. */
  | { readonly state: 'unreadable'; readonly reason: string }

interface Original {
  readonly found: OriginalState
  readonly records: readonly FetchedRecord[]
}

/** For an operator's command, which reads one batch at a time. */
const limits = { recordBytes: Number.POSITIVE_INFINITY, batchBytes: 512 * 1024 * 1024 }
const offsetOutOfRange = 'OFFSET_OUT_OF_RANGE'
const unknownTopic = 'UNKNOWN_TOPIC_OR_PARTITION'

/** Returns whether the value of a dead letter is elsewhere. */
export function hasOriginal({ reduced, batch, source }: DeadLetter): boolean {
  return (reduced !== undefined || batch !== undefined) && source.topic !== ''
}

/** @throws KafkaError when it cannot be found out */
export async function findOriginal(cluster: Cluster, letter: DeadLetter): Promise<OriginalState> {
  return (await readOriginal(cluster, letter)).found
}

/**
 * Returns what a replay writes for a dead letter that has an original.
 * @throws KafkaError, or an Error when the original is not there
 */
export async function replayedOriginal(cluster: Cluster, letter: DeadLetter, replay: string): Promise<OutputRecord[]> {
  const { found, records } = await readOriginal(cluster, letter)
  const { topic, partition, offset } = letter.source
  if (found.state !== 'present') throw new Error(`the record at ${topic} ${partition}/${offset} is ${found.state}`)
  if (letter.batch !== undefined) return records.flatMap(record => ofBatch(record, letter))
  const [record] = records as [FetchedRecord]
  const { key, value } = record
  return [toReplayed({ ...letter, key, value, headers: splitHeaders(record).own }, replay)]
}

async function readOriginal(cluster: Cluster, { source, reduced, batch }: DeadLetter): Promise<Original> {
  const records: FetchedRecord[] = []
  try {
    const to = (batch?.lastOffset ?? source.offset) + 1n
    const range = { from: source.offset, to, isolation: 'committed', limits } as const
    for await (const record of recordsIn(cluster, source, range)) records.push(record)
  } catch (thrown) {
    const { code, retryable } = toKafkaError(thrown, `reading ${source.topic}`)
    if (code === offsetOutOfRange || code === unknownTopic) return missing({ state: 'removed' })
    if (retryable) throw thrown
    return missing({ state: 'unreadable', reason: code })
  }
  const [first] = records
  const isDamaged = reduced?.why === 'BATCH_CORRUPT'
  if (first === undefined || first.offset !== source.offset) return missing({ state: 'removed' })
  const defect = records.find(record => record.defect !== undefined)?.defect
  if (defect !== undefined) return missing({ state: 'unreadable', reason: `${defect.code}: ${defect.message}` })
  // The head of a damaged batch, with the number of records, may have been damaged as well.
  const isSame = batch === undefined ? isRecord(first, reduced) : isDamaged || records.length === batch.records
  return isSame ? { found: { state: 'present' }, records } : missing({ state: 'replaced' })
}

function missing(found: OriginalState): Original {
  return { found, records: [] }
}

function isRecord({ value }: FetchedRecord, reduced: DeadLetter['reduced']): boolean {
  if ((value?.length ?? -1) !== reduced?.valueBytes) return false
  return value === null || sha256(value) === reduced.valueSHA256
}

/** A record that an operation wrote keeps its headers, so that the replay it belongs to continues. */
function ofBatch(record: FetchedRecord, { stage, source }: DeadLetter): OutputRecord[] {
  const { key, value, partition, offset } = record
  const addedFor = addedHeaders(record)?.text(stageHeader)
  if (addedFor !== undefined && addedFor !== stage) return []
  const own = [...record.headers]
  const added = { [stageHeader]: stage, [originHeader]: `${partition}/${offset}` }
  const headers = addedFor === undefined ? addHeaders(own, added) : own
  return [{ topic: source.topic, partition, key, value, headers }]
}
