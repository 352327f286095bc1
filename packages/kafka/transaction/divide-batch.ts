import { reduceDeadLetter } from '../dead-letters/reduce.ts'
import type { KafkaError } from '../errors.ts'
import { BatchRecords } from '../fetch/batch-records.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { readLogBatches } from '../fetch/log-batches.ts'
import { compressBatchSync } from '../producer/compression.ts'
import { addToSequence } from '../producer/produce.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'
import type { SealedBatch } from './transaction-buffer.ts'

/**
 * Returns replacements for a batch that the broker rejected: its two halves, or a smaller form of a
 * single dead letter. The records keep their sequence numbers.
 *
 * @throws KafkaError the rejection, if the batch is a single record that cannot be reduced
 */
export function divideBatch(batch: SealedBatch, refusal: KafkaError): SealedBatch[] {
  const records = recordsOf(batch)
  const [first] = records
  if (records.length > 1) {
    const middle = Math.ceil(records.length / 2)
    return [encode(batch, records.slice(0, middle), 0), encode(batch, records.slice(middle), middle)]
  }
  const reduced = first && reduceDeadLetter(first, refusal.code)
  if (reduced === undefined) throw refusal
  return [encode(batch, [reduced], 0)]
}

function encode(batch: SealedBatch, records: readonly OutputRecord[], skipped: number): SealedBatch {
  const { topic, partition, compression } = batch
  const writer = { ...batch.writer, firstSequence: addToSequence(batch.writer.firstSequence, skipped) }
  const bytes = compressBatchSync(encodeRecordBatch({ ...writer, records }), compression)
  return { topic, partition, bytes, writer, records: records.length, compression }
}

const unlimited = { recordBytes: Number.POSITIVE_INFINITY, batchBytes: Number.MAX_SAFE_INTEGER }

/**
 * Decodes the records of a batch. Records are encoded as they are added and then released; this
 * rare case needs them again.
 */
function recordsOf({ topic, partition, bytes }: SealedBatch): OutputRecord[] {
  return readLogBatches(bytes).flatMap(batch => {
    const records = new BatchRecords({ topic, partition }, batch, { limits: unlimited })
    return Array.from({ length: records.left }, () => {
      const { key, value, headers, timestampMs } = records.take() as FetchedRecord
      return { topic, partition, key, value, headers: [...headers], timestampMs }
    })
  })
}
