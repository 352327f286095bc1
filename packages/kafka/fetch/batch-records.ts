import { KafkaError } from '../errors.ts'
import type { Codec } from '../records.ts'
import { decompress } from './decompress.ts'
import { FetchedHeaders } from './fetched-headers.ts'
import type { FetchedRecord } from './fetched-record.ts'
import { batchHeadBytes, type LogBatch } from './log-batches.ts'
import { defaultReadLimits, type ReadLimits } from './read-limits.ts'
import { UnreadableBatch } from './unreadable-batch.ts'
import { readVarint, readVarintEnd } from './varint.ts'

const compressionBits = 0b111
const logAppendTimeBit = 1 << 3

export interface FetchedFrom {
  readonly topic: string
  readonly partition: number
  readonly topicID?: string | undefined
}

export interface BatchRecordsOptions {
  /**
   * First offset to return. Brokers return whole batches, and one may begin before the requested
   * position.
   */
  readonly fromOffset?: bigint
  readonly limits?: ReadLimits
  /** Defect that makes the whole batch unreadable, and the offset of the next batch. */
  readonly damage?: { readonly defect: KafkaError; readonly nextOffset: bigint }
}

/**
 * The records of a batch. A record object is created only when it is taken. Until then the batch is
 * kept as bytes, compressed if it was, which costs the garbage collector nothing. Thousands of
 * pending record objects cost it more than all their processing.
 *
 * A batch that cannot be read, or the rest of one, is returned as a single record
 * (`UnreadableBatch`).
 */
export class BatchRecords {
  readonly topic: string
  readonly partition: number
  readonly topicID: string | undefined
  readonly #batch: LogBatch
  readonly #fromOffset: bigint
  readonly #limits: ReadLimits
  readonly #damage: BatchRecordsOptions['damage']
  /** Decompressed batch; undefined until the first record is taken. */
  #bytes: Buffer | undefined
  #position = 0
  #left: number
  #lastOffset: bigint | undefined

  constructor(source: FetchedFrom, batch: LogBatch, options: BatchRecordsOptions = {}) {
    this.topic = source.topic
    this.partition = source.partition
    this.topicID = source.topicID
    this.#batch = batch
    this.#fromOffset = options.fromOffset ?? batch.firstOffset
    this.#limits = options.limits ?? defaultReadLimits
    this.#damage = options.damage
    this.#left = options.damage === undefined ? batch.recordCount : 1
  }

  /** Leader epoch of the batch; -1 for a damaged batch, whose epoch is not trusted. */
  get leaderEpoch(): number {
    return this.#damage === undefined ? this.#batch.leaderEpoch : -1
  }

  /**
   * Number of records not taken yet. Before the first is taken, it includes those before
   * `fromOffset`.
   */
  get left(): number {
    return this.#left
  }

  /** Size of the batch as the broker returned it. */
  get bytes(): number {
    return this.#batch.bytes.length
  }

  get isOpen(): boolean {
    return this.#bytes !== undefined
  }

  /**
   * Additional bytes held since the first record was taken: the decompressed bytes of a compressed
   * batch.
   */
  get openBytes(): number {
    return this.#bytes === undefined || this.#bytes === this.#batch.bytes ? 0 : this.#bytes.length
  }

  /** Takes the next record. Returns undefined when none is left. */
  take(): FetchedRecord | undefined {
    if (this.#left === 0) return undefined
    if (this.#damage !== undefined) return this.#exhaust(this.#damage.defect)
    try {
      if (this.#bytes === undefined) this.#open()
      return this.#left === 0 ? undefined : this.#read()
    } catch (error) {
      if (error instanceof KafkaError) return this.#exhaust(error)
      if (!(error instanceof RangeError)) throw error
      return this.#exhaust(
        new KafkaError('BATCH_CORRUPT', `the batch is damaged: ${error.message}`, { retryable: false })
      )
    }
  }

  #read(): FetchedRecord {
    const { firstOffset, firstTimestampMs, maxTimestampMs, attributes } = this.#batch
    const bytes = this.#bytes as Buffer
    const size = readVarint(bytes, this.#position)
    const start = readVarintEnd()
    const timestampDeltaMs = readVarint(bytes, start + 1) // skips the attributes byte, which is unused
    const offsetDelta = readVarint(bytes, readVarintEnd())
    const keyLength = readVarint(bytes, readVarintEnd())
    const keyStart = readVarintEnd()
    const valueLength = readVarint(bytes, keyStart + Math.max(0, keyLength))
    const valueStart = readVarintEnd()
    this.#moveTo(start + size, size)
    const headers = new FetchedHeaders(bytes, valueStart + Math.max(0, valueLength), start + size)
    const timestampMs = (attributes & logAppendTimeBit) === 0 ? firstTimestampMs + timestampDeltaMs : maxTimestampMs
    const { recordBytes } = this.#limits
    const record = new (size > recordBytes ? OversizeRecord : BatchRecord)({
      source: this,
      firstOffset,
      offsetDelta,
      timestampMs,
      bytes,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
      headers
    })
    this.#lastOffset = record.offset
    return record
  }

  /** Decompresses the records if necessary, and skips those before `fromOffset`. */
  #open(): void {
    const { bytes, attributes, firstOffset } = this.#batch
    const compression = attributes & compressionBits
    this.#position = compression === 0 ? batchHeadBytes : 0
    this.#bytes =
      compression === 0 ? bytes : decompress(bytes.subarray(batchHeadBytes), compression, this.#limits.batchBytes)
    if (this.#fromOffset <= firstOffset) return
    while (this.#left > 0) {
      const size = readVarint(this.#bytes, this.#position)
      const start = readVarintEnd()
      readVarint(this.#bytes, start + 1)
      const offsetDelta = readVarint(this.#bytes, readVarintEnd())
      if (firstOffset + BigInt(offsetDelta) >= this.#fromOffset) return
      this.#moveTo(start + size, size)
    }
  }

  /** Returns everything that is left as one unreadable record. */
  #exhaust(defect: KafkaError): FetchedRecord {
    const { firstOffset, lastOffsetDelta, recordCount } = this.#batch
    const from = this.#fromOffset > firstOffset ? this.#fromOffset : firstOffset
    const offset = this.#lastOffset === undefined ? from : this.#lastOffset + 1n
    const nextOffset = this.#damage?.nextOffset ?? firstOffset + BigInt(lastOffsetDelta) + 1n
    const count = this.#damage === undefined ? this.#left : recordCount
    this.#left = 0
    return new UnreadableBatch({ source: this, batch: this.#batch, defect, offset, count, nextOffset })
  }

  #moveTo(position: number, size: number): void {
    if (size < 1 || position > (this.#bytes as Buffer).length) {
      throw new RangeError('a record extends past the end of its batch')
    }
    this.#position = position
    this.#left--
  }
}

/**
 * A record that creates its offset, key and value on demand: a bigint and two buffers for each of
 * thousands of records would be copied by the garbage collector. A value is decoded in place.
 */
class BatchRecord implements FetchedRecord {
  readonly timestampMs: number
  readonly headers: FetchedHeaders
  readonly #source: Pick<FetchedRecord, 'topic' | 'partition' | 'topicID' | 'leaderEpoch'>
  readonly #firstOffset: bigint
  readonly #offsetDelta: number
  readonly #bytes: Buffer
  readonly #keyStart: number
  /** Length of the key; -1 for null. */
  readonly #keyLength: number
  readonly #valueStart: number
  /** Length of the value; -1 for null. */
  readonly #valueLength: number

  constructor(parts: RecordParts) {
    this.timestampMs = parts.timestampMs
    this.headers = parts.headers
    this.#source = parts.source
    this.#firstOffset = parts.firstOffset
    this.#offsetDelta = parts.offsetDelta
    this.#bytes = parts.bytes
    this.#keyStart = parts.keyStart
    this.#keyLength = parts.keyLength
    this.#valueStart = parts.valueStart
    this.#valueLength = parts.valueLength
  }

  get topic() {
    return this.#source.topic
  }

  get partition() {
    return this.#source.partition
  }

  get offset() {
    return this.#firstOffset + BigInt(this.#offsetDelta)
  }

  get leaderEpoch() {
    return this.#source.leaderEpoch
  }

  get topicID() {
    return this.#source.topicID
  }

  get nextOffset() {
    return this.offset + 1n
  }

  get bytes() {
    return this.headers.end - this.#keyStart
  }

  get defect(): KafkaError | undefined {
    return undefined
  }

  get unread() {
    return undefined
  }

  get hasKey() {
    return this.#keyLength >= 0
  }

  get key() {
    return this.hasKey ? this.#bytes.subarray(this.#keyStart, this.#keyStart + this.#keyLength) : null
  }

  get hasValue() {
    return this.#valueLength >= 0
  }

  get value() {
    return this.hasValue ? this.#bytes.subarray(this.#valueStart, this.#valueEnd) : null
  }

  isPreparedFor(codec: Codec<unknown>) {
    return codec.isPrepared(this.#bytes, this.#valueStart, this.#valueEnd, this.headers)
  }

  decode<Event>(codec: Codec<Event>) {
    return codec.decode(this.#bytes, this.#valueStart, this.#valueEnd, this.headers)
  }

  get #valueEnd() {
    return this.#valueStart + this.#valueLength
  }
}

class OversizeRecord extends BatchRecord {
  override get defect() {
    return new KafkaError('RECORD_TOO_LARGE', `the record has ${this.bytes} bytes, which exceeds the limit`, {
      retryable: false
    })
  }
}

interface RecordParts {
  readonly source: Pick<FetchedRecord, 'topic' | 'partition' | 'topicID' | 'leaderEpoch'>
  readonly firstOffset: bigint
  readonly offsetDelta: number
  readonly timestampMs: number
  readonly bytes: Buffer
  readonly keyStart: number
  readonly keyLength: number
  readonly valueStart: number
  readonly valueLength: number
  readonly headers: FetchedHeaders
}
