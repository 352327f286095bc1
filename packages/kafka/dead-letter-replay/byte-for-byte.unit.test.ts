import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitHeaders } from '../dead-letters/headers.ts'
import { boundedKey } from '../dead-letters/key.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
import { toDeadLetter } from '../stage/dead-letters.ts'
import { anyBytes, anyRecord, asBytes, fieldsOf } from '../testing/arbitrary-records.ts'
import { fetchedRecord } from '../testing/fetched-record.ts'
import { DeadLetterIndex } from './dead-letter-index.ts'
import { operationRecords } from './operation.ts'
import { planReplay } from './plan.ts'

const asWritten = (offset: bigint, record: OutputRecord): FetchedRecord =>
  fetchedRecord({ topic: record.topic, partition: 1, offset }, record)

/** Returns the record that a replay writes for a dead letter. */
function replayed(deadLetter: OutputRecord, name: string): OutputRecord {
  const book = new DeadLetterIndex()
  book.add(asWritten(7n, deadLetter))
  const { operations } = planReplay(book.keys(), name)
  const [record, ...others] = operations.flatMap(one => operationRecords(one))
  assert.ok(record !== undefined && others.length > 0)
  return record
}

test('a record is identical byte for byte after any number of dead letters and replays', () => {
  fc.assert(
    fc.property(anyRecord(), fc.integer({ min: 1, max: 3 }), (record, times) => {
      let again = asWritten(5n, record)
      for (let time = 0; time < times; time++) {
        const deadLetter = toDeadLetter(again, 'a stage', new Error('broken'))
        again = asWritten(BigInt(time), { ...replayed(deadLetter, `replay ${time}`), topic: record.topic })
      }
      assert.deepEqual(again.key, record.key === null ? null : asBytes(record.key))
      assert.deepEqual(again.value, record.value)
      const { own, added } = splitHeaders(again)
      assert.deepEqual(own, fieldsOf(record.headers))
      assert.deepEqual([added?.text('dlq-origin'), added?.text('dlq-stage')], ['1/5', 'a stage'])
    })
  )
})

test('a bounded key is short and differs for every key', () => {
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 0, max: 3_000 }), (end, length) => {
      const key = Buffer.concat([Buffer.alloc(length, 'k'), end])
      const bounded = boundedKey(key) as Buffer
      assert.ok(bounded.length <= 1_024)
      const other = Buffer.concat([key, Buffer.from('x')])
      assert.notDeepEqual(boundedKey(other), bounded)
      assert.deepEqual(boundedKey(bounded), bounded)
    })
  )
  assert.equal(boundedKey(null), null)
})
