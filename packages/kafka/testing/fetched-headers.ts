import type { FetchedHeaders } from '../committed-read/fetched-headers.ts'
import { eachRecord, readLogBatches } from '../committed-read/log-batches.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'

/** As they come out of a real log. */
export function fetchedHeaders(headers: OutputRecord['headers']): FetchedHeaders {
  const records = [{ topic: '', key: '', value: null, headers }]
  const bytes = encodeRecordBatch({ records, producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false })
  const found: FetchedHeaders[] = []
  for (const batch of readLogBatches(bytes)) eachRecord(batch, (...[, , , , headers]) => found.push(headers))
  return found[0] as FetchedHeaders
}
