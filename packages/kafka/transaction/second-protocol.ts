import { type apiVersionsV4, createAPI, endTxnV4, type Reader, txnOffsetCommitV4 } from '@platformatic/kafka'

/**
 * The second protocol of transactions (KIP-890, part 2), which the client library does not have. A cluster speaks it where its feature
 * `transaction.version` is 2: every new one since Kafka 4.0. There
 *
 * - partitions and the group join a transaction when something is written to them, not by a request of their own before that;
 * - every end of a transaction gives the producer its next epoch. What was on its way when a transaction ended cannot get into the next one,
 *   nor begin one that nobody ends.
 *
 * The requests are the first protocol's under a higher number; only the answer to EndTxn has more in it.
 */
export function isSecondProtocolSpoken({ finalizedFeatures }: ReturnType<typeof apiVersionsV4.parseResponse>): boolean {
  return (
    finalizedFeatures?.some(({ name, maxVersionLevel }) => name === 'transaction.version' && maxVersionLevel >= 2) ===
    true
  )
}

export const txnOffsetCommitV5 = createAPI(
  txnOffsetCommitV4.api.key,
  5,
  txnOffsetCommitV4.createRequest,
  txnOffsetCommitV4.parseResponse
)

export const endTxnV5 = createAPI(endTxnV4.api.key, 5, endTxnV4.createRequest, parseEnd)

/** EndTxn Response (Version: 5) => throttle_time_ms error_code producer_id producer_epoch TAG_BUFFER */
function parseEnd(_correlationID: number, _apiKey: number, _apiVersion: number, reader: Reader) {
  reader.readInt32()
  const end = { errorCode: reader.readInt16(), producerID: reader.readInt64(), epoch: reader.readInt16() }
  reader.readTaggedFields()
  return end
}
