import { crc32c } from '@node-rs/crc32'
import { areFields, encodedName, type OutputRecord } from '../records.ts'

/** Producer fields of a record batch. */
export interface BatchWriter {
  readonly producerID: bigint
  readonly epoch: number
  readonly firstSequence: number
  readonly isTransactional: boolean
}

export interface RecordBatch extends BatchWriter {
  readonly records: readonly OutputRecord[]
}

const headerBytes = 61
const crcPosition = 17
const attributesPosition = 21
const magic = 2
const transactionalBit = 1 << 4
/** Size of the length field of a record of 64 to 8,191 bytes. */
const usualLengthBytes = 2
/**
 * Initial size of a builder's buffer, which grows to the largest batch. A buffer above
 * `largestKeptBytes` is released when the builder is cleared.
 */
const firstBytes = 16 * 1024
const largestKeptBytes = 2 * 1024 * 1024
/** Upper bound for the bytes of all numbers written between two calls of `#makeRoom`. */
const roomForNumbers = 64

/**
 * Encodes a record batch, version 2
 * (https://kafka.apache.org/documentation/#recordbatch).
 *
 * The client library builds every record from several small buffers and joins them; for small
 * records that costs more than the rest of producing. `RecordBatchBuilder` writes everything once,
 * sequentially, into a growing buffer. If a length precedes content of unknown size, the builder
 * reserves the usual number of bytes for it. In the rare case that the length needs another number,
 * it moves the content. Producer id and sequence number are filled in at the end.
 */
export class RecordBatchBuilder {
  #buffer = Buffer.allocUnsafeSlow(firstBytes)
  #end = headerBytes
  #records = 0
  #firstTimestampMs = 0
  #maxTimestampMs = 0

  get records(): number {
    return this.#records
  }

  /**
   * Adds a record. Returns false if the batch would exceed `maxBytes`; the first record is always
   * added.
   */
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

  /**
   * Completes the batch and returns a view of the builder's buffer, which is overwritten by records
   * added after `clear`.
   */
  seal({ producerID, epoch, firstSequence, isTransactional }: BatchWriter): Buffer {
    const buffer = this.#buffer.subarray(0, this.#end)
    buffer.writeBigInt64BE(0n, 0) // base offset: filled in by the broker
    buffer.writeInt32BE(this.#end - 12, 8)
    buffer.writeInt32BE(-1, 12) // leader epoch: filled in by the broker
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

  /**
   * Writes a record from a position on. Like all methods below, returns the position after the
   * written bytes.
   */
  #writeRecord(record: OutputRecord, timestampDelta: number, offsetDelta: number, start: number): number {
    this.#makeRoom(start, 0)
    const bodyStart = start + usualLengthBytes
    let end = bodyStart
    this.#buffer[end++] = 0 // attributes: unused
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
    this.#makeRoom(start, text.length * 3) // a UTF-16 code unit takes at most three bytes
    const lengthBytes = text.length < 64 ? 1 : varintSize(text.length)
    const textStart = start + lengthBytes
    return this.#writeLengthOf(textStart, textStart + this.#buffer.write(text, textStart), lengthBytes)
  }

  /**
   * Writes the length of existing content in front of it, where `bytesLeft` bytes were reserved.
   */
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

/** Builder shared by all calls of `encodeRecordBatch`, which copy the result. */
const builder = new RecordBatchBuilder()

export function encodeRecordBatch({ records, ...writer }: RecordBatch): Buffer {
  const nowMs = Date.now()
  builder.clear()
  for (const record of records) builder.add(record, nowMs)
  return Buffer.from(builder.seal(writer))
}

/** Returns the encoded records of a batch. */
export function encodedRecords(batch: Buffer): Buffer {
  return batch.subarray(headerBytes)
}

/**
 * Returns a copy of a batch with its records in compressed form.
 * @param type number of the compression in the attributes
 */
export function replaceRecords(batch: Buffer, records: Buffer, type: number): Buffer {
  const compressed = Buffer.concat([batch.subarray(0, headerBytes), records])
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
