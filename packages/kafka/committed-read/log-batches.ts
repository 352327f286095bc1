import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'
import { FetchedHeaders } from './fetched-headers.ts'
import { readVarint, readVarintEnd } from './varint.ts'

/**
 * Record batches, version 2 (https://kafka.apache.org/documentation/#recordbatch), of which only the heads are read at first: records of
 * aborted transactions are passed over unread.
 *
 * The client makes some thirty small objects out of each record, which was a good part of what a stage costs.
 */
export interface LogBatch {
  readonly firstOffset: bigint
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: bigint
  readonly recordCount: number
  /** All of it, head and records. */
  readonly bytes: Buffer
}

/** Arguments, not an object: whoever is told makes the only one that a record needs. */
export type RecordVisitor = (
  offsetDelta: number,
  timestampDeltaMs: number,
  key: Buffer | null,
  value: Buffer | null,
  headers: FetchedHeaders
) => void

const lengthEnd = 12
const headBytes = 61
const compressionBits = 0b111

/** The whole batches of a piece of log; a broker may cut the last one off. */
export function readLogBatches(log: Buffer): LogBatch[] {
  const batches: LogBatch[] = []
  for (let start = 0; start + headBytes <= log.length; ) {
    const end = start + lengthEnd + log.readInt32BE(start + 8)
    if (end > log.length) break
    batches.push({
      firstOffset: log.readBigInt64BE(start),
      attributes: log.readInt16BE(start + 21),
      lastOffsetDelta: log.readInt32BE(start + 23),
      firstTimestampMs: Number(log.readBigInt64BE(start + 27)),
      maxTimestampMs: Number(log.readBigInt64BE(start + 35)),
      producerId: log.readBigInt64BE(start + 43),
      recordCount: log.readInt32BE(start + 57),
      bytes: log.subarray(start, end)
    })
    start = end
  }
  return batches
}

export function eachRecord(batch: LogBatch, visit: RecordVisitor): void {
  const compression = batch.attributes & compressionBits
  const bytes = compression === 0 ? batch.bytes : decompress(batch.bytes.subarray(headBytes), compression)
  let position = compression === 0 ? headBytes : 0
  for (let index = 0; index < batch.recordCount; index++) {
    const size = readVarint(bytes, position)
    const start = readVarintEnd()
    const timestampDeltaMs = readVarint(bytes, start + 1) // behind the attributes, of which there are none
    const offsetDelta = readVarint(bytes, readVarintEnd())
    const key = bytesAt(bytes, readVarintEnd())
    const value = bytesAt(bytes, bytesEnd)
    visit(offsetDelta, timestampDeltaMs, key, value, new FetchedHeaders(bytes, bytesEnd))
    position = start + size
    if (size < 1 || position > bytes.length) throw new RangeError('a record runs over the end of its batch')
  }
}

let bytesEnd = 0

function bytesAt(bytes: Buffer, position: number): Buffer | null {
  const length = readVarint(bytes, position)
  const start = readVarintEnd()
  bytesEnd = length < 0 ? start : start + length
  return length < 0 ? null : bytes.subarray(start, bytesEnd)
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
