import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2 as clientMurmur2, crc32c, Reader, readRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { choosePartition, murmur2, partitionOf } from '../records.ts'
import { anyBytes, anyRecord, anyText, asBytes, fieldsOf } from '../testing/arbitrary-records.ts'
import { encodeRecordBatch, RecordBatchBuilder } from './record-batch.ts'

const record = anyRecord()
const bytesOf = (content: Buffer | null) => content && Buffer.from(content)

test('an independent reader reads exactly the records that were written', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      fc.nat(),
      (records, isTransactional, firstSequence) => {
        const encoded = encodeRecordBatch({ records, producerID: 77n, epoch: 3, firstSequence, isTransactional })
        const batch = readRecordsBatch(Reader.from(encoded))
        assert.equal(batch.length, encoded.length - 12)
        assert.equal(batch.crc, crc32c(encoded.subarray(21)))
        assert.equal(batch.attributes, isTransactional ? 16 : 0)
        assert.deepEqual(
          [batch.producerId, batch.producerEpoch, batch.firstSequence, batch.lastOffsetDelta],
          [77n, 3, firstSequence, records.length - 1]
        )
        assert.equal(Number(batch.maxTimestamp), Math.max(...records.map(({ timestampMs }) => timestampMs)))
        for (const [index, read] of batch.records.entries()) {
          const written = records[index]
          assert.ok(written)
          assert.equal(read.offsetDelta, index)
          assert.equal(Number(batch.firstTimestamp) + Number(read.timestampDelta), written.timestampMs)
          assert.deepEqual(bytesOf(read.key), written.key === null ? null : asBytes(written.key))
          assert.deepEqual(bytesOf(read.value), written.value)
          const headers = read.headers.map(([name, content]) => [bytesOf(name), bytesOf(content)])
          assert.deepEqual(headers, fieldsOf(written.headers))
        }
      }
    )
  )
})

test('a record that does not fit is rejected and leaves the batch unchanged', () => {
  const writer = { producerID: 77n, epoch: 3, firstSequence: 0, isTransactional: true }
  const builder = new RecordBatchBuilder()
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.nat(2_000), (records, maxBytes) => {
      builder.clear()
      const added = records.filter(candidate => builder.add(candidate, 0, maxBytes))
      assert.equal(added[0], records[0])
      assert.equal(builder.records, added.length)
      const sealed = builder.seal(writer)
      assert.ok(added.length === 1 || sealed.length <= maxBytes)
      assert.deepEqual(Buffer.from(sealed), encodeRecordBatch({ ...writer, records: added }))
    })
  )
})

test('records without a key go to the partitions in turn, unless they specify one', () => {
  const partitions = Array.from({ length: 6 }, () => partitionOf({ key: null }, 3))
  assert.deepEqual(partitions.toSorted(), [0, 0, 1, 1, 2, 2])
  assert.equal(partitionOf({ key: null, partition: 2 }, 3), 2)
})

test('keys go to the same partitions as with the Java client', () => {
  // From org.apache.kafka.common.utils.UtilsTest.testMurmur2
  const known = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    abc: 479470107
  }
  for (const [key, hash] of Object.entries(known)) assert.equal(murmur2(Buffer.from(key)), hash)
  fc.assert(fc.property(anyBytes, data => assert.equal(murmur2(data), clientMurmur2(data))))
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 100 }), (key, count) =>
      assert.ok(choosePartition(key, count) < count)
    )
  )
})
