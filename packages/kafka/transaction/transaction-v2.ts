import { type apiVersionsV4, createAPI, endTxnV4, type Reader, txnOffsetCommitV4 } from '@platformatic/kafka'

/**
 * Returns true if the cluster supports the second transaction protocol (KIP-890, part 2), which the
 * client library lacks. Clusters support it if their feature `transaction.version` is 2, as all new
 * ones since Kafka 4.0. With it:
 *
 * - partitions and the group join a transaction when something is written to them, without a
 *   separate request
 * - every end of a transaction gives the producer its next epoch; requests that were in flight when
 *   a transaction ended can neither enter the next one nor begin one that is never ended
 *
 * The requests equal those of the first protocol with a higher version number; only the EndTxn
 * response has additional fields.
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

/**
 * EndTxn Response (Version: 5) => throttle_time_ms error_code producer_id producer_epoch TAG_BUFFER
 */
function parseEnd(_correlationID: number, _apiKey: number, _apiVersion: number, reader: Reader) {
  reader.readInt32()
  const end = { errorCode: reader.readInt16(), producerID: reader.readInt64(), epoch: reader.readInt16() }
  reader.readTaggedFields()
  return end
}
