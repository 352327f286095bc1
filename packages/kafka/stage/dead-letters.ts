import {
  addedHeaders,
  addHeaders,
  batchBytesHeader,
  batchHashHeader,
  batchHeader,
  blockingCountHeader,
  codeHeader,
  keyHeader,
  offsetHeader,
  originHeader,
  partitionHeader,
  reasonHeader,
  recordsHeader,
  releaseHeader,
  replayHeader,
  splitHeaders,
  stageHeader,
  topicHeader
} from '../dead-letters/headers.ts'
import { boundedKey } from '../dead-letters/key.ts'
import { reduceDeadLetter } from '../dead-letters/reduce.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { HeaderField, OutputRecord } from '../records.ts'

const maxReasonLength = 1_000

/**
 * Returns the dead letter of a record: its key, value and headers unchanged, with the reason of the
 * failure and the record's position. The key determines the partition, so dead letters of one key
 * keep their order. A record above the limit becomes a reduced dead letter, and a batch that cannot
 * be read becomes one dead letter without a key.
 */
export function toDeadLetter(record: FetchedRecord, stageName: string, error: unknown): OutputRecord {
  const deadLetter = toFullDeadLetter(record, stageName, error)
  if (record.defect === undefined) return deadLetter
  return reduceDeadLetter(deadLetter, record.defect.code) ?? deadLetter
}

function toFullDeadLetter(record: FetchedRecord, stageName: string, error: unknown): OutputRecord {
  const { unread } = record
  const { own, added } = splitHeaders(record)
  const { key } = record
  const bounded = boundedKey(key)
  const replay = added?.text(replayHeader)
  const origin = added?.text(originHeader)
  return {
    topic: deadLetterTopic(record.topic),
    key: bounded,
    value: record.value,
    timestampMs: record.timestampMs,
    headers: addHeaders(own, {
      [stageHeader]: stageName,
      [reasonHeader]: reasonOf(error),
      [codeHeader]: codeOf(error),
      [topicHeader]: record.topic,
      [partitionHeader]: String(record.partition),
      [offsetHeader]: String(record.offset),
      ...(replay !== undefined && { [replayHeader]: replay }),
      ...(origin !== undefined && { [originHeader]: origin }),
      ...(key !== null && bounded !== key && { [keyHeader]: key }),
      ...(unread && {
        [batchHeader]: `${record.offset}-${unread.lastOffset}`,
        [recordsHeader]: String(unread.count),
        [batchBytesHeader]: String(unread.bytes),
        [batchHashHeader]: unread.sha256
      })
    })
  }
}

/** Returns the headers of a dead letter that does not originate from a topic. */
export function deadLetterHeaders(
  own: Readonly<Record<string, string>>,
  { stage, code, reason }: { readonly stage: string; readonly code: string; readonly reason: string }
): readonly HeaderField[] {
  return addHeaders(Object.entries(own), {
    [stageHeader]: stage,
    [codeHeader]: code,
    [reasonHeader]: reason.slice(0, maxReasonLength)
  })
}

/** Headers of a record that a replay wrote. */
export interface ReplayHeaders {
  /** Stage that dead-lettered the records. */
  readonly stage: string | undefined
  /** Name of the replay that contains the record. */
  readonly replay: string | undefined
  /** Name of the replay that the record completes. */
  readonly release: string | undefined
  /** Number of dead letters that the replay knew of. */
  readonly blockingCount: number
}

/**
 * Returns the replay headers, or undefined for a record that no replay wrote, which is the common
 * case.
 */
export function replayHeadersOf(record: FetchedRecord): ReplayHeaders | undefined {
  const added = addedHeaders(record)
  if (added === undefined) return undefined
  return {
    stage: added.text(stageHeader),
    replay: added.text(replayHeader),
    release: record.hasValue ? undefined : added.text(releaseHeader),
    blockingCount: Number(added.text(blockingCountHeader) ?? Number.POSITIVE_INFINITY)
  }
}

export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'UNKNOWN'
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, maxReasonLength)
}
