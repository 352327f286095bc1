import { crc32c } from '@platformatic/kafka'
import type { OutputRecord } from '../records.ts'

/**
 * One record batch, version 2 (https://kafka.apache.org/documentation/#recordbatch), encoded into one buffer of the right size.
 *
 * The client builds every record out of several small buffers and joins them; for small records that costs more than all the rest
 * of producing. Here sizes are computed first, then everything is written once.
 */
export interface RecordBatch {
  readonly records: readonly OutputRecord[]
  readonly producerID: bigint
  readonly epoch: number
  readonly firstSequence: number
  readonly isTransactional: boolean
}

const headerBytes = 61
const crcPosition = 17
const attributesPosition = 21
const magic = 2
const transactionalBit = 1 << 4

export function encodeRecordBatch({ records, producerID, epoch, firstSequence, isTransactional }: RecordBatch): Buffer {
  const nowMs = Date.now()
  const firstTimestampMs = records[0]?.timestampMs ?? nowMs
  let maxTimestampMs = firstTimestampMs
  let totalBytes = headerBytes
  const bodyBytes: number[] = []
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutputRecord
    const timestampMs = record.timestampMs ?? nowMs
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
    const bytes = bodySize(record, timestampMs - firstTimestampMs, index)
    bodyBytes.push(bytes)
    totalBytes += varintSize(bytes) + bytes
  }

  const buffer = Buffer.allocUnsafe(totalBytes)
  buffer.writeBigInt64BE(0n, 0) // base offset: the broker's to fill in
  buffer.writeInt32BE(totalBytes - 12, 8)
  buffer.writeInt32BE(-1, 12) // leader epoch: likewise
  buffer[16] = magic
  buffer.writeInt16BE(isTransactional ? transactionalBit : 0, attributesPosition)
  buffer.writeInt32BE(records.length - 1, 23)
  buffer.writeBigInt64BE(BigInt(firstTimestampMs), 27)
  buffer.writeBigInt64BE(BigInt(maxTimestampMs), 35)
  buffer.writeBigInt64BE(producerID, 43)
  buffer.writeInt16BE(epoch, 51)
  buffer.writeInt32BE(firstSequence, 53)
  buffer.writeInt32BE(records.length, 57)
  let position = headerBytes
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutputRecord
    position = writeVarint(buffer, bodyBytes[index] as number, position)
    position = writeBody(buffer, record, (record.timestampMs ?? nowMs) - firstTimestampMs, index, position)
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(attributesPosition)), crcPosition)
  return buffer
}

function bodySize(record: OutputRecord, timestampDelta: number, offsetDelta: number): number {
  let bytes = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + bytesSize(record.key) + bytesSize(record.value)
  let headers = 0
  for (const name in record.headers) {
    bytes += bytesSize(name) + bytesSize(record.headers[name] as string | Buffer)
    headers++
  }
  return bytes + varintSize(headers)
}

function writeBody(
  buffer: Buffer,
  record: OutputRecord,
  timestampDelta: number,
  offsetDelta: number,
  start: number
): number {
  let position = start
  buffer[position++] = 0 // attributes: none are defined
  position = writeVarint(buffer, timestampDelta, position)
  position = writeVarint(buffer, offsetDelta, position)
  position = writeBytes(buffer, record.key, position)
  position = writeBytes(buffer, record.value, position)
  let headers = 0
  for (const _ in record.headers) headers++
  position = writeVarint(buffer, headers, position)
  for (const name in record.headers) {
    position = writeBytes(buffer, name, position)
    position = writeBytes(buffer, record.headers[name] as string | Buffer, position)
  }
  return position
}

/** A length, zigzag and variable, and then as many bytes; -1 and nothing for null. */
function bytesSize(content: string | Buffer | null): number {
  if (content === null) return 1
  const bytes = typeof content === 'string' ? textSize(content) : content.length
  return varintSize(bytes) + bytes
}

function writeBytes(buffer: Buffer, content: string | Buffer | null, start: number): number {
  if (content === null) return writeVarint(buffer, -1, start)
  if (typeof content !== 'string') {
    const position = writeVarint(buffer, content.length, start)
    buffer.set(content, position)
    return position + content.length
  }
  const bytes = textSize(content)
  const position = writeVarint(buffer, bytes, start)
  // One byte for each character: short ASCII, as names and ids are, is written faster here than by a call into the runtime.
  if (bytes === content.length && bytes < 64)
    for (let index = 0; index < bytes; index++) buffer[position + index] = content.charCodeAt(index)
  else buffer.write(content, position)
  return position + bytes
}

function textSize(text: string): number {
  if (text.length >= 64) return Buffer.byteLength(text)
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : value * -2 - 1)

function varintSize(value: number): number {
  let bytes = 1
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) bytes++
  return bytes
}

function writeVarint(buffer: Buffer, value: number, start: number): number {
  let position = start
  let left = zigzag(value)
  while (left >= 0x80) {
    buffer[position++] = (left % 0x80) | 0x80
    left = Math.floor(left / 0x80)
  }
  buffer[position++] = left
  return position
}
