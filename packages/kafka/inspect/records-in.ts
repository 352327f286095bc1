import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, KafkaError } from '../errors.ts'
import { BatchRecords } from '../fetch/batch-records.ts'
import { committedBatches } from '../fetch/committed-batches.ts'
import { fetchCommitted } from '../fetch/fetch-committed.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { ReadLimits } from '../fetch/read-limits.ts'

/**
 * Size limit of the first fetch. A broker returns at least one whole batch anyway; if it contains
 * no record, the next fetches use the larger limit.
 */
const oneBatchBytes = 1
const manyBatchesBytes = 1024 * 1024

interface RangeToRead {
  readonly from: bigint
  /** Offset after the last one to read. */
  readonly to: bigint
  /**
   * Isolation level. `committed`: only records of committed transactions; `any`: also records of
   * open and aborted transactions.
   */
  readonly isolation: 'committed' | 'any'
  readonly limits?: ReadLimits
}

/**
 * Reads the records in a range of offsets. A batch that cannot be read is returned as one record
 * with a defect.
 */
export async function* recordsIn(
  cluster: Cluster,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  { from, to, isolation, limits }: RangeToRead
): AsyncGenerator<FetchedRecord> {
  let maxBytes = oneBatchBytes
  for (let position = from; position < to; maxBytes = manyBatchesBytes) {
    const leader = (await cluster.partitions(topic))[partition]
    const connection = await cluster.connectionToLeader(topic, partition)
    const question = {
      partition,
      currentLeaderEpoch: leader?.leaderEpoch ?? -1,
      fetchOffset: position,
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes
    }
    const topics = [{ topicId: leader?.topicID ?? '', partitions: [question] }]
    const level = isolation === 'committed' ? 1 : 0
    const response = await request(connection, fetchCommitted, 0, 1, maxBytes, level, 0, -1, topics, [], '')
    checkCode(response.errorCode, `reading ${topic}/${partition}`)
    const answer = response.responses[0]?.partitions[0]
    if (answer === undefined)
      throw new KafkaError('BROKER_UNAVAILABLE', `no answer for ${topic}/${partition}`, { retryable: true })
    checkCode(answer.errorCode, `reading ${topic}/${partition}`)
    const { batches, nextOffset } = committedBatches(answer.batches, answer.abortedTransactions, position)
    for (const batch of batches) {
      const { damage: defect } = batch
      const records = new BatchRecords({ topic, partition }, batch, {
        fromOffset: position,
        ...(limits && { limits }),
        ...(defect && { damage: { defect, nextOffset: batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n } })
      })
      for (let record = records.take(); record !== undefined; record = records.take()) {
        if (record.offset >= to) return
        yield record
      }
    }
    if (nextOffset === position) return
    position = nextOffset
  }
}
