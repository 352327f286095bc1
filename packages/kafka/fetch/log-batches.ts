import { crc32c } from '@node-rs/crc32'
import { KafkaError } from '../errors.ts'

/**
 * Record batch, version 2 (https://kafka.apache.org/documentation/#recordbatch). Only the head is
 * parsed here: records of aborted transactions are skipped unread, and all others are parsed when
 * they are taken (batch-records.ts).
 */
export interface LogBatch {
  readonly firstOffset: bigint
  /** Leader epoch in which the batch was written (KIP-320). */
  readonly leaderEpoch: number
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: bigint
  readonly recordCount: number
  /** Head and records. */
  readonly bytes: Buffer
  /**
   * False if the length of the batch is invalid: its end is unknown, and `bytes` contains all
   * remaining bytes.
   */
  readonly isFramed: boolean
  /** Error if the bytes are not those that the producer wrote. */
  readonly damage: KafkaError | undefined
}

export const batchHeadBytes = 61
const lengthEnd = 12
const magicPosition = 16
const crcPosition = 17
const checkedFrom = 21
const magic = 2

/** Returns the complete batches of a piece of log. A broker may cut off the last one. */
export function readLogBatches(log: Buffer): LogBatch[] {
  const batches: LogBatch[] = []
  for (let start = 0; start + batchHeadBytes <= log.length; ) {
    const length = log.readInt32BE(start + 8)
    const isFramed = length >= batchHeadBytes - lengthEnd
    const end = isFramed ? start + lengthEnd + length : log.length
    if (end > log.length) break
    const bytes = log.subarray(start, end)
    batches.push({
      firstOffset: log.readBigInt64BE(start),
      leaderEpoch: log.readInt32BE(start + 12),
      attributes: log.readInt16BE(start + 21),
      lastOffsetDelta: log.readInt32BE(start + 23),
      firstTimestampMs: Number(log.readBigInt64BE(start + 27)),
      maxTimestampMs: Number(log.readBigInt64BE(start + 35)),
      producerId: log.readBigInt64BE(start + 43),
      recordCount: log.readInt32BE(start + 57),
      bytes,
      isFramed,
      damage: damageOf(bytes, isFramed)
    })
    start = end
  }
  return batches
}

function damageOf(bytes: Buffer, isFramed: boolean): KafkaError | undefined {
  // Retryable, because another replica may have the batch intact.
  const corrupt = (message: string) => new KafkaError('BATCH_CORRUPT', message, { retryable: true })
  if (!isFramed) return corrupt('the length of the batch is invalid')
  if (bytes[magicPosition] !== magic) return corrupt(`the batch format ${bytes[magicPosition]} is not supported`)
  if (crc32c(bytes.subarray(checkedFrom)) === bytes.readUInt32BE(crcPosition)) return undefined
  return corrupt('the batch is damaged: its checksum is wrong')
}
