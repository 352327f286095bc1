import { BatchRecords } from '../fetch/batch-records.ts'
import type { FetchedHeaders } from '../fetch/fetched-headers.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { type LogBatch, readLogBatches } from '../fetch/log-batches.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'

/** Creates a fetched record by encoding and decoding it, as in a real log. */
export function fetchedRecord(
  { topic, partition, offset, topicID }: Pick<FetchedRecord, 'topic' | 'partition' | 'offset'> & { topicID?: string },
  record: Omit<OutputRecord, 'topic' | 'partition'>
): FetchedRecord {
  const records = [{ ...record, topic }]
  const bytes = encodeRecordBatch({ records, producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false })
  const [batch] = readLogBatches(bytes) as [LogBatch]
  const fetched = new BatchRecords({ topic, partition, topicID }, { ...batch, firstOffset: offset }).take()
  return fetched as FetchedRecord
}

/** Creates headers as a fetch returns them. */
export function fetchedHeaders(headers: OutputRecord['headers']): FetchedHeaders {
  return fetchedRecord({ topic: '', partition: 0, offset: 0n }, { key: '', value: null, headers }).headers
}
