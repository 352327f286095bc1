import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'
import type { Codec } from '../records.ts'
import { FetchedHeaders } from './fetched-headers.ts'
import { batchHeadBytes, type LogBatch } from './log-batches.ts'
import { readVarint, readVarintEnd } from './varint.ts'

/** Of a class, for the compiler to know what a copy made by spreading a record does not have. */
export declare abstract class FetchedRecord {
  get topic(): string
  get partition(): number
  get offset(): bigint
  /** Leader epoch of the batch that holds the record; -1 when it is unknown. */
  get leaderEpoch(): number
  /** Topic that it was fetched from; undefined when it is unknown. */
  get topicID(): string | undefined
  readonly timestampMs: number
  get hasKey(): boolean
  get key(): Buffer | null
  get hasValue(): boolean
  get value(): Buffer | null
  /** Whether the codec has what it needs for the value. */
  isPreparedFor(codec: Codec<unknown>): boolean
  /** @throws anything: the value cannot be read */
  decode<Event>(codec: Codec<Event>): Event
  readonly headers: FetchedHeaders
}

const compressionBits = 0b111
const logAppendTimeBit = 1 << 3

export interface FetchedFrom {
  readonly topic: string
  readonly partition: number
  readonly topicID?: string | undefined
}

/**
 * The records of a batch from an offset on, each made when it is taken: what waits to be taken is bytes, which cost the garbage collector
 * nothing. Thousands of records that wait as objects cost it more than all that is done with them.
 */
export class BatchRecords {
  readonly topic: string
  readonly partition: number
  readonly topicID: string | undefined
  readonly #batch: LogBatch
  /** Not decompressed yet while undefined. */
  #bytes: Buffer | undefined
  #position = 0
  #left: number

  /** @throws RangeError when the batch is damaged */
  constructor(place: FetchedFrom, batch: LogBatch, fromOffset = batch.firstOffset) {
    this.topic = place.topic
    this.partition = place.partition
    this.topicID = place.topicID
    this.#batch = batch
    this.#left = batch.recordCount
    // A broker gives whole batches: one may begin before what was asked for.
    if (fromOffset > batch.firstOffset) this.#passOver(fromOffset)
  }

  get leaderEpoch(): number {
    return this.#batch.leaderEpoch
  }

  /** How many have not been taken. */
  get left(): number {
    return this.#left
  }

  /** @throws RangeError when the batch is damaged */
  take(): FetchedRecord {
    const { firstOffset, firstTimestampMs, maxTimestampMs, attributes } = this.#batch
    const bytes = this.#open()
    const size = readVarint(bytes, this.#position)
    const start = readVarintEnd()
    const timestampDeltaMs = readVarint(bytes, start + 1) // behind the attributes, of which there are none
    const offsetDelta = readVarint(bytes, readVarintEnd())
    const keyLength = readVarint(bytes, readVarintEnd())
    const keyStart = readVarintEnd()
    const valueLength = readVarint(bytes, keyStart + Math.max(0, keyLength))
    const valueStart = readVarintEnd()
    this.#moveTo(start + size, size)
    const headers = new FetchedHeaders(bytes, valueStart + Math.max(0, valueLength), start + size)
    const timestampMs = (attributes & logAppendTimeBit) === 0 ? firstTimestampMs + timestampDeltaMs : maxTimestampMs
    return new BatchRecord({
      place: this,
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
  }

  #passOver(fromOffset: bigint): void {
    const bytes = this.#open()
    while (this.#left > 0) {
      const size = readVarint(bytes, this.#position)
      const start = readVarintEnd()
      readVarint(bytes, start + 1)
      const offsetDelta = readVarint(bytes, readVarintEnd())
      if (this.#batch.firstOffset + BigInt(offsetDelta) >= fromOffset) return
      this.#moveTo(start + size, size)
    }
  }

  #open(): Buffer {
    if (this.#bytes === undefined) {
      const { bytes, attributes } = this.#batch
      const compression = attributes & compressionBits
      this.#position = compression === 0 ? batchHeadBytes : 0
      this.#bytes = compression === 0 ? bytes : decompress(bytes.subarray(batchHeadBytes), compression)
    }
    return this.#bytes
  }

  #moveTo(position: number, size: number): void {
    if (size < 1 || position > (this.#bytes as Buffer).length) {
      throw new RangeError('a record runs over the end of its batch')
    }
    this.#position = position
    this.#left--
  }
}

/**
 * Offset, key and value are made when somebody asks: a bigint and two buffers for each of thousands of records are copied by the garbage
 * collector. A value is decoded where it stands.
 */
class BatchRecord implements FetchedRecord {
  readonly timestampMs: number
  readonly headers: FetchedHeaders
  readonly #place: Pick<FetchedRecord, 'topic' | 'partition' | 'topicID' | 'leaderEpoch'>
  readonly #firstOffset: bigint
  readonly #offsetDelta: number
  readonly #bytes: Buffer
  readonly #keyStart: number
  /** -1 for null. */
  readonly #keyLength: number
  readonly #valueStart: number
  /** -1 for null. */
  readonly #valueLength: number

  constructor(parts: RecordParts) {
    this.timestampMs = parts.timestampMs
    this.headers = parts.headers
    this.#place = parts.place
    this.#firstOffset = parts.firstOffset
    this.#offsetDelta = parts.offsetDelta
    this.#bytes = parts.bytes
    this.#keyStart = parts.keyStart
    this.#keyLength = parts.keyLength
    this.#valueStart = parts.valueStart
    this.#valueLength = parts.valueLength
  }

  get topic() {
    return this.#place.topic
  }

  get partition() {
    return this.#place.partition
  }

  get offset() {
    return this.#firstOffset + BigInt(this.#offsetDelta)
  }

  get leaderEpoch() {
    return this.#place.leaderEpoch
  }

  get topicID() {
    return this.#place.topicID
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

interface RecordParts {
  readonly place: Pick<FetchedRecord, 'topic' | 'partition' | 'topicID' | 'leaderEpoch'>
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

function decompress(bytes: Buffer, compression: number): Buffer {
  const algorithm = compressionsAlgorithmsByBitmask[compression as keyof typeof compressionsAlgorithmsByBitmask]
  if (algorithm === undefined) {
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', `compression ${compression} is not known`, {
      retryable: false
    })
  }
  return algorithm.decompressSync(bytes)
}
