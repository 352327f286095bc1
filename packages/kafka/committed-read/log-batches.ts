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
  /** All of it, head and records. */
  readonly bytes: Buffer
}

export const batchHeadBytes = 61
const lengthEnd = 12

/** The whole batches of a piece of log; a broker may cut the last one off. */
export function readLogBatches(log: Buffer): LogBatch[] {
  const batches: LogBatch[] = []
  for (let start = 0; start + batchHeadBytes <= log.length; ) {
    const end = start + lengthEnd + log.readInt32BE(start + 8)
    if (end > log.length) break
    batches.push({
      firstOffset: log.readBigInt64BE(start),
      leaderEpoch: log.readInt32BE(start + 12),
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
