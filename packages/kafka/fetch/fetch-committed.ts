import { createAPI, fetchV17, type Reader, readKnownTaggedFields } from '@platformatic/kafka'
import type { EpochEnd } from '../cluster/epoch-ends.ts'
import type { AbortedTransaction } from './committed-batches.ts'
import { type LogBatch, readLogBatches } from './log-batches.ts'

export interface FetchedPiece {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: bigint
  /**
   * First offset of the earliest open transaction, or the high watermark; records before it can be
   * read.
   */
  readonly lastStableOffset: bigint
  readonly abortedTransactions: AbortedTransaction[] | null
  readonly batches: LogBatch[]
  /**
   * Set instead of records when the log has no batch of the last fetched epoch at the fetch offset.
   * The leader's log equals the records already read up to `endOffset`, which was written
   * up to `leaderEpoch` (KIP-320, KIP-595).
   */
  readonly divergence: EpochEnd | undefined
}

export interface FetchResponse {
  readonly errorCode: number
  readonly responses: { readonly topicId: string; readonly partitions: FetchedPiece[] }[]
}

/**
 * Fetch API, version 17. Sends the client's request; parses only the needed fields of the response
 * and leaves records as bytes.
 */
export const fetchCommitted = createAPI<Parameters<typeof fetchV17.createRequest>, FetchResponse>(
  1,
  17,
  fetchV17.createRequest,
  (_correlationID, _apiKey, _apiVersion, reader) => {
    reader.readInt32() // throttle time
    const errorCode = reader.readInt16()
    reader.readInt32() // session id
    const responses = reader.readArray(reader => ({
      topicId: reader.readUUID(),
      partitions: reader.readArray(readPiece, true, false) // `readPiece` reads its own tagged fields
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
  reader.readInt64() // log start offset
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
