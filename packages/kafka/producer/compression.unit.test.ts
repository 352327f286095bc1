import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { BatchRecords } from '../fetch/batch-records.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { type LogBatch, readLogBatches } from '../fetch/log-batches.ts'
import { anyRecord, fieldsOf } from '../testing/arbitrary-records.ts'
import { compressBatch, compressBatchSync, compressionFor } from './compression.ts'
import { encodeRecordBatch } from './record-batch.ts'

const writer = { producerID: 7n, epoch: 1, firstSequence: 0, isTransactional: true }
const numberOf = { gzip: 1, zstd: 4 } as const
const compressionBits = 0b111

function read(bytes: Buffer) {
  const [batch] = readLogBatches(bytes) as [LogBatch]
  assert.equal(batch.damage, undefined)
  const records = new BatchRecords({ topic: 't', partition: 0 }, batch)
  return { batch, records: Array.from({ length: records.left }, () => records.take() as FetchedRecord) }
}

for (const compression of ['gzip', 'zstd'] as const) {
  test(`records compressed with ${compression} are read byte for byte, and the batch keeps its producer`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord(), { minLength: 1, maxLength: 30 }), async given => {
        const large = [...given, { ...(given[0] as (typeof given)[0]), value: Buffer.alloc(2_000, 'x') }]
        const plain = encodeRecordBatch({ records: large, ...writer })
        for (const bytes of [await compressBatch(plain, compression), compressBatchSync(plain, compression)]) {
          assert.ok(bytes.length < plain.length)
          const { batch, records } = read(bytes)
          assert.equal(batch.attributes & compressionBits, numberOf[compression])
          assert.equal(batch.producerId, writer.producerID)
          assert.deepEqual(
            records.map(({ value, headers }) => [value, [...headers]]),
            large.map(({ value, headers }) => [value, fieldsOf(headers)])
          )
        }
      }),
      { numRuns: 30 }
    )
  })
}

test('a batch that would not become smaller, or is larger than readers decompress, is not compressed', async () => {
  const batchOf = (value: Buffer) =>
    encodeRecordBatch({ records: [{ topic: 't', key: null, value, headers: {} }], ...writer })
  const [random, huge] = [batchOf(randomBytes(1_000)), batchOf(Buffer.alloc(32 * 1024 * 1024))]
  for (const batch of [random, huge]) {
    assert.equal(await compressBatch(batch, 'zstd'), batch)
    assert.equal(compressBatchSync(batch, 'gzip'), batch)
  }
  assert.equal(await compressBatch(random, 'none'), random)
})

test('dead letters are compressed in any case', () => {
  assert.equal(compressionFor('orders', 'none'), 'none')
  assert.equal(compressionFor('orders.dlq', 'none'), 'gzip')
  assert.equal(compressionFor('orders.dlq', 'zstd'), 'zstd')
})
