import { createHash } from 'node:crypto'
import { areFields, type HeaderField, type OutputRecord } from '../records.ts'
import {
  addHeaders,
  droppedHeadersHeader,
  keyBytesHeader,
  keyHashHeader,
  keyHeader,
  reasonHeader,
  reducedHeader,
  splitFields,
  stageHeader,
  timestampHeader,
  valueBytesHeader,
  valueHashHeader
} from './headers.ts'
import { isDeadLetterTopic } from './topics.ts'

/**
 * Limit for the record's own headers in a reduced dead letter. Headers that fit are kept unchanged
 * and in order.
 */
const maxHeaderBytes = 4_096
const shortReasonLength = 200

/**
 * Returns a smaller form of a dead letter: first **reduced**, without the value and with bounded
 * headers; then **minimal**, without any header of the record. A reduced dead letter has the size
 * and checksum of the value, and the record's position. A replay reads the record there while
 * retention keeps it.
 *
 * @param why code of the error that made the full form impossible
 * @returns undefined for a minimal dead letter, and for any record that is not a dead letter
 */
export function reduceDeadLetter(deadLetter: OutputRecord, why: string): OutputRecord | undefined {
  const { topic, headers, value } = deadLetter
  if (!isDeadLetterTopic(topic) || !areFields(headers)) return undefined
  const { own, added } = splitFields(headers)
  // The mark of an operation has no stage and must stay unchanged.
  if (added?.has(stageHeader) !== true) return undefined
  const isReduced = added.has(reducedHeader)
  const reason = added.get(reasonHeader)?.toString() ?? ''
  if (isReduced && own.length === 0 && reason.length <= shortReasonLength) return undefined
  const kept = isReduced ? [] : withinLimit(own)
  const dropped = own.length - kept.length + Number(added.get(droppedHeadersHeader)?.toString() ?? 0)
  const { [keyHeader]: key, ...rest } = Object.fromEntries(added)
  return {
    ...withoutTimeIfRefused(deadLetter, why),
    value: null,
    headers: addHeaders(kept, {
      ...(isReduced ? rest : { ...rest, ...describe(deadLetter, why, value, key) }),
      [reasonHeader]: isReduced ? reason.slice(0, shortReasonLength) : reason,
      ...(dropped > 0 && { [droppedHeadersHeader]: String(dropped) })
    })
  }
}

/**
 * Returns headers that describe the value, and the key if the dead letter has only a bounded form
 * of it.
 */
function describe(
  { timestampMs }: OutputRecord,
  why: string,
  value: Buffer | null,
  key: Buffer | string | undefined
): Record<string, string> {
  return {
    [reducedHeader]: why,
    [valueBytesHeader]: String(value?.length ?? -1),
    ...(value !== null && { [valueHashHeader]: sha256(value) }),
    ...(timestampMs !== undefined && { [timestampHeader]: String(timestampMs) }),
    ...(key !== undefined && { [keyBytesHeader]: String(Buffer.byteLength(key)), [keyHashHeader]: sha256(key) })
  }
}

function withoutTimeIfRefused(deadLetter: OutputRecord, why: string): OutputRecord {
  if (why !== 'INVALID_TIMESTAMP') return deadLetter
  const { timestampMs: _, ...rest } = deadLetter
  return rest
}

function withinLimit(own: readonly HeaderField[]): readonly HeaderField[] {
  let bytes = 0
  return own.filter(([name, content]) => {
    const size = Buffer.byteLength(name) + Buffer.byteLength(content ?? '')
    if (bytes + size > maxHeaderBytes) return false
    bytes += size
    return true
  })
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
