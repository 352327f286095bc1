import { gzipSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { encodedName } from '../header-names.ts'
import { areFields } from '../output-headers.ts'
import type { OutputRecord } from '../records.ts'

/**
 * One record batch, version 2 (https://kafka.apache.org/documentation/#recordbatch).
 *
 * The client builds every record out of several small buffers and joins them; for small records that costs more than all the rest
 * of producing. Here everything is written once, one after the other, into a buffer that grows. Where a length stands before content
 * whose bytes are not counted yet, as many bytes are left for it as it usually takes; the content is moved in the rare case that it
 * takes another number. Who writes, and from which sequence number on, is filled in at the end: nobody needs to know it before.
 */
export interface BatchWriter {
  readonly producerID: bigint
  readonly epoch: number
  readonly firstSequence: number
  readonly isTransactional: boolean
}

export interface RecordBatch extends BatchWriter {
  readonly records: readonly OutputRecord[]
  readonly isCompressed?: boolean
}

const headerBytes = 61
const crcPosition = 17
const attributesPosition = 21
const magic = 2
const transactionalBit = 1 << 4
/** Of the length of a record of 64 to 8,191 bytes. */
const usualLengthBytes = 2
/** The buffer of a builder grows to the largest batch; one that a very large record made larger than this is let go afterwards. */
const firstBytes = 16 * 1024
const largestKeptBytes = 2 * 1024 * 1024
/** More than all the numbers that are written between two calls of `#makeRoom`. */
const roomForNumbers = 64

export class RecordBatchBuilder {
  #buffer = Buffer.allocUnsafeSlow(firstBytes)
  #end = headerBytes
  #records = 0
  #firstTimestampMs = 0
  #maxTimestampMs = 0

  get records(): number {
    return this.#records
  }

  /** @returns whether it was added: the batch would have become larger than `maxBytes` otherwise. The first one always is. */
  add(record: OutputRecord, nowMs: number, maxBytes = Number.POSITIVE_INFINITY): boolean {
    const timestampMs = record.timestampMs ?? nowMs
    if (this.#records === 0) this.#firstTimestampMs = this.#maxTimestampMs = timestampMs
    const end = this.#writeRecord(record, timestampMs - this.#firstTimestampMs, this.#records, this.#end)
    if (end > maxBytes && this.#records > 0) return false
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    this.#end = end
    this.#records++
    return true
  }

  /** @returns all that was added, as a view of what the builder holds: it is overwritten by what is added after `clear` */
  seal({ producerID, epoch, firstSequence, isTransactional }: BatchWriter): Buffer {
    const buffer = this.#buffer.subarray(0, this.#end)
    buffer.writeBigInt64BE(0n, 0) // base offset: the broker's to fill in
    buffer.writeInt32BE(this.#end - 12, 8)
    buffer.writeInt32BE(-1, 12) // leader epoch: likewise
    buffer[16] = magic
    buffer.writeInt16BE(isTransactional ? transactionalBit : 0, attributesPosition)
    buffer.writeInt32BE(this.#records - 1, 23)
    buffer.writeBigInt64BE(BigInt(this.#firstTimestampMs), 27)
    buffer.writeBigInt64BE(BigInt(this.#maxTimestampMs), 35)
    buffer.writeBigInt64BE(producerID, 43)
    buffer.writeInt16BE(epoch, 51)
    buffer.writeInt32BE(firstSequence, 53)
    buffer.writeInt32BE(this.#records, 57)
    buffer.writeUInt32BE(crc32c(buffer.subarray(attributesPosition)), crcPosition)
    return buffer
  }

  clear(): void {
    this.#end = headerBytes
    this.#records = 0
    if (this.#buffer.length > largestKeptBytes) this.#buffer = Buffer.allocUnsafeSlow(firstBytes)
  }

  /** Like all that follow: writes from a position on. @returns the position behind it */
  #writeRecord(record: OutputRecord, timestampDelta: number, offsetDelta: number, start: number): number {
    this.#makeRoom(start, 0)
    const bodyStart = start + usualLengthBytes
    let end = bodyStart
    this.#buffer[end++] = 0 // attributes: none are defined
    end = this.#writeVarint(timestampDelta, end)
    end = this.#writeVarint(offsetDelta, end)
    end = this.#writeContent(record.key, end)
    end = this.#writeContent(record.value, end)
    end = this.#writeHeaders(record.headers, end)
    return this.#writeLengthOf(bodyStart, end, usualLengthBytes)
  }

  #writeHeaders(headers: OutputRecord['headers'], start: number): number {
    if (areFields(headers)) {
      let end = this.#writeVarint(headers.length, start)
      for (const [name, content] of headers) end = this.#writeContent(content, this.#writeContent(name, end))
      return end
    }
    let count = 0
    for (const _ in headers) count++
    let end = this.#writeVarint(count, start)
    for (const name in headers) {
      end = this.#writeBytes(encodedName(name), end)
      end = this.#writeContent(headers[name] as string | Buffer, end)
    }
    return end
  }

  #writeContent(content: string | Buffer | null, start: number): number {
    if (content === null) return this.#writeVarint(-1, start)
    return typeof content === 'string' ? this.#writeText(content, start) : this.#writeBytes(content, start)
  }

  #writeBytes(bytes: Buffer, start: number): number {
    this.#makeRoom(start, bytes.length)
    const position = this.#writeVarint(bytes.length, start)
    this.#buffer.set(bytes, position)
    return position + bytes.length
  }

  #writeText(text: string, start: number): number {
    this.#makeRoom(start, text.length * 3) // a character takes three bytes at most
    const lengthBytes = text.length < 64 ? 1 : varintSize(text.length)
    const textStart = start + lengthBytes
    return this.#writeLengthOf(textStart, textStart + this.#buffer.write(text, textStart), lengthBytes)
  }

  /** Writes the length of what is there already in front of it, where so many bytes were left for it. */
  #writeLengthOf(start: number, end: number, bytesLeft: number): number {
    const moveBy = varintSize(end - start) - bytesLeft
    if (moveBy !== 0) this.#buffer.copyWithin(start + moveBy, start, end)
    this.#writeVarint(end - start, start - bytesLeft)
    return end + moveBy
  }

  #writeVarint(value: number, start: number): number {
    const buffer = this.#buffer
    let position = start
    let left = zigzag(value)
    while (left >= 0x80) {
      buffer[position++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    buffer[position++] = left
    return position
  }

  #makeRoom(position: number, bytes: number): void {
    const needed = position + bytes + roomForNumbers
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, position)
    this.#buffer = larger
  }
}

/** Of records that are all there. Written where the batch before was, and copied out. */
const builder = new RecordBatchBuilder()

export function encodeRecordBatch({ records, isCompressed = false, ...writer }: RecordBatch): Buffer {
  const nowMs = Date.now()
  builder.clear()
  for (const record of records) builder.add(record, nowMs)
  const sealed = builder.seal(writer)
  return isCompressed ? compressBatch(sealed) : Buffer.from(sealed)
}

/** Reads everywhere, as every client of Kafka has it, and is stable in Node, which zstd is not yet. */
const gzip = { type: 1, compress: (bytes: Buffer) => gzipSync(bytes, { level: 1 }) }

/** Returns a copy of a batch, with its records compressed. */
export function compressBatch(batch: Buffer, { type, compress } = gzip): Buffer {
  const compressed = Buffer.concat([batch.subarray(0, headerBytes), compress(batch.subarray(headerBytes))])
  compressed.writeInt32BE(compressed.length - 12, 8)
  compressed.writeInt16BE(batch.readInt16BE(attributesPosition) | type, attributesPosition)
  compressed.writeUInt32BE(crc32c(compressed.subarray(attributesPosition)), crcPosition)
  return compressed
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : value * -2 - 1)

function varintSize(value: number): number {
  let bytes = 1
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) bytes++
  return bytes
}
