import { BatchRecords } from '../committed-read/batch-records.ts'
import type { FetchedHeaders } from '../committed-read/fetched-headers.ts'
import { type LogBatch, readLogBatches } from '../committed-read/log-batches.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'

/** As they come out of a real log. */
export function fetchedHeaders(headers: OutputRecord['headers']): FetchedHeaders {
  const records = [{ topic: '', key: '', value: null, headers }]
  const bytes = encodeRecordBatch({ records, producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false })
  const [batch] = readLogBatches(bytes)
  return new BatchRecords({ topic: '', partition: 0 }, batch as LogBatch).take().headers
}
