import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { bytesCodec } from '../codecs/plain-codecs.ts'
import { compressBatchSync } from '../producer/compression.ts'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import { anyNamedHeaders, anyRecord, asBytes, fieldsOf } from '../testing/arbitrary-records.ts'
import { fetchedRecord } from '../testing/fetched-record.ts'
import { BatchRecords } from './batch-records.ts'
import type { FetchedRecord } from './fetched-record.ts'
import { type LogBatch, readLogBatches } from './log-batches.ts'

const records = fc.array(anyRecord(), { minLength: 1, maxLength: 20 })
const identity = { producerID: 77n, epoch: 3, firstSequence: 0, isTransactional: true }

function readAll(log: Buffer): FetchedRecord[] {
  const found: FetchedRecord[] = []
  for (const batch of readLogBatches(log)) {
    const records = new BatchRecords({ topic: 't', partition: 0 }, batch)
    for (let record = records.take(); record !== undefined; record = records.take()) found.push(record)
  }
  return found
}

test('keys, values, timestamps and headers are read byte for byte as they were written', () => {
  fc.assert(
    fc.property(records, records, (first, second) => {
      const log = Buffer.concat([first, second].map(records => encodeRecordBatch({ records, ...identity })))
      const batches = readLogBatches(log)
      assert.deepEqual(
        batches.map(({ producerId, attributes, recordCount }) => [producerId, attributes, recordCount]),
        [
          [77n, 16, first.length],
          [77n, 16, second.length]
        ]
      )
      const read = readAll(log)
      for (const [index, { key, value, headers, timestampMs }] of [...first, ...second].entries()) {
        const own = read[index] as FetchedRecord
        assert.equal(own.timestampMs, timestampMs)
        assert.deepEqual([own.hasKey, own.key], [key !== null, key === null ? null : asBytes(key)])
        assert.deepEqual([own.hasValue, own.value], [value !== null, value])
        if (value !== null) assert.deepEqual(own.decode(bytesCodec), value)
        assert.deepEqual([...own.headers], fieldsOf(headers))
      }
    })
  )
})

test('a header is found by name, the first of several with that name, and the last header by its position', () => {
  fc.assert(
    fc.property(anyRecord(anyNamedHeaders), record => {
      const [own] = readAll(encodeRecordBatch({ records: [record], ...identity })) as [FetchedRecord]
      const pairs = fieldsOf(record.headers).map(([name, content]) => [String(name), String(content)] as const)
      for (const [name, text] of pairs) {
        assert.equal(own.headers.text(name), text)
        assert.ok(own.headers.has(name))
      }
      assert.equal(own.headers.text('no such header'), undefined)
      assert.equal(own.headers.has('no such header'), false)
      assert.deepEqual(own.headers.toObject(), Object.fromEntries(pairs))
      const [name, text] = pairs.at(-1) ?? ['no such header', undefined]
      assert.equal(own.headers.textOfLast(name), text)
    })
  )
  const twice = [
    ['a', '1'],
    ['b', null],
    ['a', '2']
  ] as const
  const { headers } = fetchedRecord({ topic: 't', partition: 0, offset: 0n }, { key: 'k', value: null, headers: twice })
  assert.deepEqual([headers.text('a'), headers.textOfLast('a'), headers.textOfLast('b')], ['1', '2', undefined])
  assert.deepEqual([headers.has('b'), headers.text('b')], [true, undefined])
})

test('a batch that begins before the requested offset is read from that offset', () => {
  fc.assert(
    fc.property(records, fc.bigInt({ min: 0n, max: 25n }), (written, from) => {
      const [batch] = readLogBatches(encodeRecordBatch({ records: written, ...identity }))
      const rest = new BatchRecords({ topic: 't', partition: 0 }, batch as LogBatch, { fromOffset: from })
      const expected = written.map((_, index) => BigInt(index)).filter(offset => offset >= from)
      const read = [...expected, undefined].map(() => rest.take()?.offset)
      assert.deepEqual([read, rest.left], [[...expected, undefined], 0])
    })
  )
})

test('compressed batches are read like uncompressed ones', () => {
  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const messages = [1, 2, 3].map(number => ({
      topic: 't',
      key: Buffer.from(`k${number}`),
      value: Buffer.from(`v${number}`)
    }))
    const { buffer } = createRecordsBatch(messages as never, { compression } as never)
    assert.deepEqual(
      readAll(Buffer.from(buffer)).map(({ key, value }) => `${key} ${value}`),
      ['k1 v1', 'k2 v2', 'k3 v3']
    )
  }
})

const limits = { recordBytes: 1_000, batchBytes: 20_000 }
const withValue = (bytes: number) => ({ topic: 't', key: 'k', value: Buffer.alloc(bytes), headers: { a: 'b' } })

function readWithin(bytes: Buffer, fromOffset?: bigint): FetchedRecord[] {
  const [batch] = readLogBatches(bytes) as [LogBatch]
  const all = new BatchRecords({ topic: 't', partition: 0 }, batch, { limits, ...(fromOffset && { fromOffset }) })
  const found: FetchedRecord[] = []
  for (let record = all.take(); record !== undefined; record = all.take()) found.push(record)
  return found
}

test('a record above the limit keeps its key and headers and has a defect; the others of its batch have none', () => {
  const records = [withValue(10), withValue(2_000), withValue(10)]
  const read = readWithin(compressBatchSync(encodeRecordBatch({ records, ...identity }), 'gzip'))
  assert.deepEqual(
    read.map(({ defect, key, headers }) => [defect?.code, String(key), headers.text('a')]),
    [undefined, 'RECORD_TOO_LARGE', undefined].map(code => [code, 'k', 'b'])
  )
})

test('a batch above the limit or with invalid compression is read as one record without a key', () => {
  const records = Array.from({ length: 30 }, () => withValue(900))
  const large = compressBatchSync(encodeRecordBatch({ records, ...identity }), 'gzip')
  const broken = Buffer.from(large).fill(0xff, 100, 110)
  for (const [bytes, code] of [
    [large, 'BATCH_TOO_LARGE'],
    [broken, 'BATCH_CORRUPT']
  ] as const) {
    const [one, ...others] = readWithin(bytes)
    assert.deepEqual([others, one?.defect?.code, one?.offset, one?.nextOffset, one?.key], [[], code, 0n, 30n, null])
    const { count, bytes: size, lastOffset, sha256 } = one?.unread ?? assert.fail()
    assert.deepEqual([count, size, lastOffset], [30, bytes.length, 29n])
    assert.match(sha256, /^[\da-f]{64}$/)
    const [rest] = readWithin(bytes, 7n)
    assert.deepEqual([rest?.offset, rest?.nextOffset], [7n, 30n])
  }
})

test('a batch that is cut off at any byte is left for the next fetch', () => {
  const batch = encodeRecordBatch({
    records: [{ topic: 't', key: 'k', value: Buffer.from('v'), headers: {} }],
    ...identity
  })
  for (let length = 0; length < batch.length; length++) {
    assert.equal(readLogBatches(Buffer.concat([batch, batch.subarray(0, length)])).length, 1)
  }
})

test('a damaged batch is read as other records or as one unreadable record, without an endless loop', () => {
  const whole = encodeRecordBatch({
    records: [{ topic: 't', key: 'key', value: Buffer.from('value'), headers: { one: 'content', two: '' } }],
    ...identity
  })
  for (let position = 61; position < whole.length; position++) {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(whole)
      damaged[position] = byte
      for (const { headers, defect, nextOffset } of readAll(damaged)) {
        headers.toObject()
        assert.ok(defect === undefined || (defect.code === 'BATCH_CORRUPT' && nextOffset === 1n))
      }
    }
  }
})
