import { createHash } from 'node:crypto'
import type { KafkaError } from '../errors.ts'
import { FetchedHeaders } from './fetched-headers.ts'
import type { FetchedRecord, UnreadRecords } from './fetched-record.ts'
import { batchHeadBytes, type LogBatch } from './log-batches.ts'

const noHeaders = new FetchedHeaders(Buffer.from([0]), 0, 1)
/** Start of the hashed bytes, the same as for the batch's own checksum (CRC-32C). */
const checksummedFrom = 21

/**
 * Record that represents a batch that cannot be read, or the rest of one. It has no key, because
 * those of the records are unknown.
 */
export class UnreadableBatch implements FetchedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly topicID: string | undefined
  readonly timestampMs: number
  readonly defect: KafkaError
  readonly headers = noHeaders
  readonly hasKey = false
  readonly key = null
  readonly hasValue = false
  readonly value = null
  readonly #batch: LogBatch
  readonly #count: number
  readonly #nextOffset: bigint

  constructor(parts: {
    source: Pick<FetchedRecord, 'topic' | 'partition' | 'topicID' | 'leaderEpoch'>
    batch: LogBatch
    defect: KafkaError
    offset: bigint
    count: number
    nextOffset: bigint
  }) {
    this.topic = parts.source.topic
    this.partition = parts.source.partition
    this.leaderEpoch = parts.source.leaderEpoch
    this.topicID = parts.source.topicID
    this.offset = parts.offset
    this.timestampMs = parts.batch.maxTimestampMs
    this.defect = parts.defect
    this.#batch = parts.batch
    this.#count = parts.count
    this.#nextOffset = parts.nextOffset
  }

  get nextOffset() {
    return this.#nextOffset
  }

  get bytes() {
    return batchHeadBytes
  }

  get unread(): UnreadRecords {
    const { bytes } = this.#batch
    return {
      lastOffset: this.#nextOffset - 1n,
      count: this.#count,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes.subarray(checksummedFrom)).digest('hex')
    }
  }

  isPreparedFor() {
    return true
  }

  decode(): never {
    throw this.defect
  }
}
