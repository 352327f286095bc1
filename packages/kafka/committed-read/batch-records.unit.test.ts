import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { encodeRecordBatch } from '../producer/record-batch.ts'
import { anyNamedHeaders, anyRecord, asBytes, fieldsOf } from '../testing/arbitrary-records.ts'
import { fetchedRecord } from '../testing/fetched-record.ts'
import { textCodec } from '../testing/text-codec.ts'
import { BatchRecords, type FetchedRecord } from './batch-records.ts'
import { type LogBatch, readLogBatches } from './log-batches.ts'

const records = fc.array(anyRecord(), { minLength: 1, maxLength: 20 })
const identity = { producerID: 77n, epoch: 3, firstSequence: 0, isTransactional: true }

function readAll(log: Buffer): FetchedRecord[] {
  const found: FetchedRecord[] = []
  for (const batch of readLogBatches(log)) {
    const records = new BatchRecords({ topic: 't', partition: 0 }, batch)
    while (records.left > 0) found.push(records.take())
  }
  return found
}

test('keys, values, times and headers are read byte for byte as they were written', () => {
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
        if (value !== null) assert.deepEqual(own.decode(textCodec), value.toString())
        assert.deepEqual([...own.headers], fieldsOf(headers))
      }
    })
  )
})

test('headers are found by name, the first of several, and the last of all by its position', () => {
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

test('of a batch that begins before what was asked for the rest is read', () => {
  fc.assert(
    fc.property(records, fc.bigInt({ min: 0n, max: 25n }), (written, from) => {
      const [batch] = readLogBatches(encodeRecordBatch({ records: written, ...identity }))
      const rest = new BatchRecords({ topic: 't', partition: 0 }, batch as LogBatch, from)
      const expected = written.map((_, index) => BigInt(index)).filter(offset => offset >= from)
      assert.equal(rest.left, expected.length)
      assert.deepEqual(
        expected.map(() => rest.take().offset),
        expected
      )
    })
  )
})

test('compressed batches are read like others', () => {
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

test('a batch that is cut off is left for the next fetch, wherever it is cut', () => {
  const batch = encodeRecordBatch({
    records: [{ topic: 't', key: 'k', value: Buffer.from('v'), headers: {} }],
    ...identity
  })
  for (let length = 0; length < batch.length; length++) {
    assert.equal(readLogBatches(Buffer.concat([batch, batch.subarray(0, length)])).length, 1)
  }
})

test('damaged records end in an error or in other records, never in a loop or in bytes of another batch', () => {
  const whole = encodeRecordBatch({
    records: [{ topic: 't', key: 'key', value: Buffer.from('value'), headers: { one: 'content', two: '' } }],
    ...identity
  })
  for (let position = 61; position < whole.length; position++) {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(whole)
      damaged[position] = byte
      try {
        for (const { headers } of readAll(damaged)) headers.toObject()
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    }
  }
})
