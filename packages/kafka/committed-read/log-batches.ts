import { crc32c } from '@node-rs/crc32'
import { KafkaError } from '../errors.ts'

/**
 * Record batches, version 2 (https://kafka.apache.org/documentation/#recordbatch), of which only the heads are read here: records of
 * aborted transactions are passed over unread, all others when somebody takes them (batch-records.ts).
 */
export interface LogBatch {
  readonly firstOffset: bigint
  /** Under which leadership of its partition it was written (KIP-320). */
  readonly leaderEpoch: number
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: bigint
  readonly recordCount: number
  /** Head and records. */
  readonly bytes: Buffer
  /** False where the length of the batch is impossible: then it is unknown where it ends, and these are all bytes that follow. */
  readonly isFramed: boolean
  /** Why the batch cannot be trusted: its bytes are not those that its producer wrote. */
  readonly damage: KafkaError | undefined
}

export const batchHeadBytes = 61
const lengthEnd = 12
const magicPosition = 16
const crcPosition = 17
const checkedFrom = 21
const magic = 2

/** The whole batches of a piece of log; a broker may cut the last one off. */
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
  // Another replica may have the batch intact.
  const corrupt = (message: string) => new KafkaError('BATCH_CORRUPT', message, { retryable: true })
  if (!isFramed) return corrupt('the length of the batch is impossible')
  if (bytes[magicPosition] !== magic) return corrupt(`the batch has format ${bytes[magicPosition]}, which is unknown`)
  if (crc32c(bytes.subarray(checkedFrom)) === bytes.readUInt32BE(crcPosition)) return undefined
  return corrupt('the batch is damaged: its checksum is wrong')
}
