import { createAPI, fetchV17, type Reader, readKnownTaggedFields } from '@platformatic/kafka'
import type { AbortedTransaction } from './committed-batches.ts'
import { type LogBatch, readLogBatches } from './log-batches.ts'

export interface FetchedPiece {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: bigint
  /** Where the first transaction that is open begins, or the high watermark: so far there is something to read. */
  readonly lastStableOffset: bigint
  readonly abortedTransactions: AbortedTransaction[] | null
  readonly batches: LogBatch[]
  /**
   * Set instead of records when the log has no batch of the epoch that the fetch named as its last one at that offset: the leader's log
   * and what was read have a common part up to `endOffset`, which was written up to `leaderEpoch` (KIP-320, KIP-595).
   */
  readonly divergence: EpochEnd | undefined
}

export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: bigint
}

export interface FetchResponse {
  readonly errorCode: number
  readonly responses: { readonly topicId: string; readonly partitions: FetchedPiece[] }[]
}

/** Fetch, version 17, as the client asks it; of the answer only what is needed is made into objects, and records are left as bytes. */
export const fetchCommitted = createAPI<Parameters<typeof fetchV17.createRequest>, FetchResponse>(
  1,
  17,
  fetchV17.createRequest,
  (_correlationID, _apiKey, _apiVersion, reader) => {
    reader.readInt32() // throttled for so long
    const errorCode = reader.readInt16()
    reader.readInt32() // session
    const responses = reader.readArray(reader => ({
      topicId: reader.readUUID(),
      partitions: reader.readArray(readPiece, true, false) // a piece reads its own tagged fields
    }))
    reader.readTaggedFields()
    return { errorCode, responses }
  }
)

const divergingEpochTag = 0

function readPiece(reader: Reader): FetchedPiece {
  const partitionIndex = reader.readInt32()
  const errorCode = reader.readInt16()
  const highWatermark = reader.readInt64()
  const lastStableOffset = reader.readInt64()
  reader.readInt64() // log start
  const abortedTransactions = reader.readNullableArray(reader => ({
    producerId: reader.readInt64(),
    firstOffset: reader.readInt64()
  }))
  reader.readInt32() // preferred read replica
  const records = reader.readNullableBytes()
  let divergence: EpochEnd | undefined
  readKnownTaggedFields(reader, {
    [divergingEpochTag]: field => {
      divergence = { leaderEpoch: field.readInt32(), endOffset: field.readInt64() }
    }
  })
  return {
    partitionIndex,
    errorCode,
    highWatermark,
    lastStableOffset,
    abortedTransactions,
    batches: records === null ? [] : readLogBatches(records),
    divergence
  }
}
