import type { Cluster } from '../cluster/cluster.ts'
import { addedHeaders, addHeaders, originHeader, splitHeaders, stageHeader } from '../dead-letters/headers.ts'
import { sha256 } from '../dead-letters/reduce.ts'
import { toKafkaError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { recordsIn } from '../inspect/records-in.ts'
import type { OutputRecord } from '../records.ts'
import { type DeadLetter, toReplayed } from './dead-letter.ts'

/**
 * State of the record or batch that a dead letter without a value represents, read at its position
 * in its own topic.
 *
 * - A **reduced** dead letter represents one record. Size and checksum show whether that record is
 *   still at its position, because the topic may have been recreated.
 * - The dead letter of a **batch** represents all records of a batch that was too large or damaged.
 *   They are replayed as ordinary records. This dead letter does not block their keys; if other
 *   dead letters do, the records follow those.
 */
export type OriginalState =
  | { readonly state: 'present' }
  /** Removed by retention or by DeleteRecords. */
  | { readonly state: 'removed' }
  /** Replaced: another record is at its position. */
  | { readonly state: 'replaced' }
  /** Present, but unreadable. */
  | { readonly state: 'unreadable'; readonly reason: string }

interface Original {
  readonly found: OriginalState
  readonly records: readonly FetchedRecord[]
}

/** Limits for an operator's command, which reads one batch at a time. */
const limits = { recordBytes: Number.POSITIVE_INFINITY, batchBytes: 512 * 1024 * 1024 }
const offsetOutOfRange = 'OFFSET_OUT_OF_RANGE'
const unknownTopic = 'UNKNOWN_TOPIC_OR_PARTITION'

/** Returns true if the value of a dead letter must be read from its original position. */
export function hasOriginal({ reduced, batch, source }: DeadLetter): boolean {
  return (reduced !== undefined || batch !== undefined) && source.topic !== ''
}

/** Returns the state of the original. @throws KafkaError when it cannot be determined */
export async function findOriginal(cluster: Cluster, deadLetter: DeadLetter): Promise<OriginalState> {
  return (await readOriginal(cluster, deadLetter)).found
}

/**
 * Returns the records that a replay writes for a dead letter with an original.
 *
 * @throws KafkaError, or an Error when the original is not present
 */
export async function replayedOriginal(
  cluster: Cluster,
  deadLetter: DeadLetter,
  replay: string
): Promise<OutputRecord[]> {
  const { found, records } = await readOriginal(cluster, deadLetter)
  const { topic, partition, offset } = deadLetter.source
  if (found.state !== 'present') throw new Error(`the original at ${topic} ${partition}/${offset} is ${found.state}`)
  if (deadLetter.batch !== undefined) return records.flatMap(record => ofBatch(record, deadLetter))
  const [record] = records as [FetchedRecord]
  const { key, value } = record
  return [toReplayed({ ...deadLetter, key, value, headers: splitHeaders(record).own }, replay)]
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
  // The head of a damaged batch, which contains the number of records, may be damaged too.
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

/**
 * Returns a record of a batch for replay. A record that an operation wrote keeps its added headers,
 * so that its replay continues.
 */
function ofBatch(record: FetchedRecord, { stage, source }: DeadLetter): OutputRecord[] {
  const { key, value, partition, offset } = record
  const addedFor = addedHeaders(record)?.text(stageHeader)
  if (addedFor !== undefined && addedFor !== stage) return []
  const own = [...record.headers]
  const added = { [stageHeader]: stage, [originHeader]: `${partition}/${offset}` }
  const headers = addedFor === undefined ? addHeaders(own, added) : own
  return [{ topic: source.topic, partition, key, value, headers }]
}
