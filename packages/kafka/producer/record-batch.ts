import { crc32c } from '@platformatic/kafka'
import { encodedName } from '../header-names.ts'
import type { OutputRecord } from '../records.ts'

/**
 * One record batch, version 2 (https://kafka.apache.org/documentation/#recordbatch).
 *
 * The client builds every record out of several small buffers and joins them; for small records that costs more than all the rest
 * of producing. Here everything is written once, one after the other, into a buffer that is kept for the next batch and grows to
 * the largest one, and then copied out. Where a length stands before content whose bytes are not counted yet, as many bytes are
 * left for it as it usually takes; the content is moved in the rare case that it takes another number.
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
/** Of the length of a record of 64 to 8,191 bytes. */
const usualLengthBytes = 2
/** More than all the numbers that are written between two calls of `makeRoom`. */
const roomForNumbers = 64

let scratch = Buffer.allocUnsafeSlow(64 * 1024)

export function encodeRecordBatch({ records, producerID, epoch, firstSequence, isTransactional }: RecordBatch): Buffer {
  const nowMs = Date.now()
  const firstTimestampMs = records[0]?.timestampMs ?? nowMs
  let maxTimestampMs = firstTimestampMs
  let end = headerBytes
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutputRecord
    const timestampMs = record.timestampMs ?? nowMs
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
    end = writeRecord(record, timestampMs - firstTimestampMs, index, end)
  }

  const buffer = Buffer.from(scratch.subarray(0, end))
  buffer.writeBigInt64BE(0n, 0) // base offset: the broker's to fill in
  buffer.writeInt32BE(end - 12, 8)
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
  buffer.writeUInt32BE(crc32c(buffer.subarray(attributesPosition)), crcPosition)
  return buffer
}

/** Like all that follow: writes to `scratch` from a position on. @returns the position behind it */
function writeRecord(record: OutputRecord, timestampDelta: number, offsetDelta: number, start: number): number {
  makeRoom(start, 0)
  const bodyStart = start + usualLengthBytes
  let end = bodyStart
  scratch[end++] = 0 // attributes: none are defined
  end = writeVarint(timestampDelta, end)
  end = writeVarint(offsetDelta, end)
  end = writeContent(record.key, end)
  end = record.value === null ? writeVarint(-1, end) : writeBytes(record.value, end)
  let headers = 0
  for (const _ in record.headers) headers++
  end = writeVarint(headers, end)
  for (const name in record.headers) {
    end = writeBytes(encodedName(name), end)
    end = writeContent(record.headers[name] as string | Buffer, end)
  }
  return writeLengthOf(bodyStart, end, usualLengthBytes)
}

function writeContent(content: string | Buffer, start: number): number {
  return typeof content === 'string' ? writeText(content, start) : writeBytes(content, start)
}

function writeBytes(bytes: Buffer, start: number): number {
  makeRoom(start, bytes.length)
  const position = writeVarint(bytes.length, start)
  scratch.set(bytes, position)
  return position + bytes.length
}

function writeText(text: string, start: number): number {
  makeRoom(start, text.length * 3) // a character takes three bytes at most
  const lengthBytes = text.length < 64 ? 1 : varintSize(text.length)
  const textStart = start + lengthBytes
  return writeLengthOf(textStart, textStart + scratch.write(text, textStart), lengthBytes)
}

/** Writes the length of what is there already in front of it, where so many bytes were left for it. */
function writeLengthOf(start: number, end: number, bytesLeft: number): number {
  const moveBy = varintSize(end - start) - bytesLeft
  if (moveBy !== 0) scratch.copyWithin(start + moveBy, start, end)
  writeVarint(end - start, start - bytesLeft)
  return end + moveBy
}

function makeRoom(position: number, bytes: number): void {
  const needed = position + bytes + roomForNumbers
  if (needed <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, scratch.length * 2))
  scratch.copy(larger, 0, 0, position)
  scratch = larger
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : value * -2 - 1)

function varintSize(value: number): number {
  let bytes = 1
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) bytes++
  return bytes
}

function writeVarint(value: number, start: number): number {
  let position = start
  let left = zigzag(value)
  while (left >= 0x80) {
    scratch[position++] = (left % 0x80) | 0x80
    left = Math.floor(left / 0x80)
  }
  scratch[position++] = left
  return position
}
