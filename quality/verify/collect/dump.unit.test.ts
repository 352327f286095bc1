import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordsBatch } from '@platformatic/kafka'
import { parseNotifications } from './notifications.ts'
import { offsetCommitsIn } from './offset-commits.ts'
import { withTransactions } from './transactions.ts'

const transactional = 1 << 4
const control = 1 << 5

/** Returns a log with one batch, or one transaction marker, for each entry. */
function log(
  ...entries: {
    producer: number
    text?: string
    marker?: 'commit' | 'abort'
    attributes?: number
    key?: Buffer
    value?: Buffer
  }[]
): RecordsBatch[] {
  return entries.map(({ producer, text, marker, attributes, key, value }, offset) => {
    const markerKey = Buffer.from([0, 0, 0, marker === 'commit' ? 1 : 0])
    return {
      firstOffset: BigInt(offset),
      lastOffsetDelta: 0,
      attributes: attributes ?? (marker ? transactional | control : transactional),
      firstTimestamp: BigInt(1_000 + offset),
      maxTimestamp: BigInt(1_000 + offset),
      producerId: BigInt(producer),
      producerEpoch: 3,
      records: [
        {
          offsetDelta: 0,
          timestampDelta: 0n,
          key: marker ? markerKey : (key ?? Buffer.from(text ?? '')),
          value: value ?? null,
          headers: []
        }
      ]
    } as unknown as RecordsBatch
  })
}

function statesOf(batches: RecordsBatch[]) {
  return withTransactions(batches).map(({ record, transaction }) => `${record.key} ${transaction}`)
}

test('a record belongs to the next marker of its producer, even if transactions interleave', () => {
  const batches = log(
    { producer: 1, text: 'a' },
    { producer: 2, text: 'b' },
    { producer: 1, marker: 'abort' },
    { producer: 1, text: 'c' },
    { producer: 2, text: 'd' },
    { producer: 2, marker: 'commit' },
    { producer: 1, marker: 'commit' },
    { producer: 1, text: 'e' },
    { producer: 2, marker: 'abort' }
  )
  assert.deepEqual(statesOf(batches), ['a aborted', 'b committed', 'c committed', 'd committed', 'e open'])
})

test('a non-transactional record is not affected by later markers of its producer', () => {
  const batches = log({ producer: 1, text: 'a', attributes: 0 }, { producer: 1, marker: 'abort' })
  assert.deepEqual(statesOf(batches), ['a none'])
})

test('committed offsets are returned in the order of becoming visible', () => {
  const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)])
  const key = Buffer.concat([Buffer.from([0, 1]), text('group'), text('topic'), Buffer.from([0, 0, 0, 2])])
  const value = (offset: number) => Buffer.from([0, 3, 0, 0, 0, 0, 0, 0, 0, offset])
  const batches = log(
    { producer: 1, key, value: value(9) },
    { producer: 2, key, value: value(5), attributes: 0 },
    { producer: 3, key, value: value(7) },
    { producer: 3, marker: 'abort' },
    { producer: 1, marker: 'commit' },
    { producer: 2, key: Buffer.from([0, 2, 0, 1, 65]), value: value(1), attributes: 0 }
  )
  const commits = offsetCommitsIn(withTransactions(batches))
  assert.deepEqual(
    commits.map(({ group, topic, partition, offset }) => [group, topic, partition, offset]),
    [
      ['group', 'topic', 2, 5],
      ['group', 'topic', 2, 9]
    ]
  )
})

test('notifications are parsed from log lines, and other or incomplete lines are ignored', () => {
  const line = (id: string) =>
    JSON.stringify({ time: '2026-01-01T00:00:00.000Z', notification: { id, kind: 'k', orderID: 'o', userID: 'u' } })
  const log = `plain words\n${line('one')}\n{"msg":"other"}\n${line('two')}\n${line('three').slice(0, 30)}`
  assert.deepEqual(
    parseNotifications(log, { instance: 'notification-1', pid: 7 }).map(({ id, pid }) => [id, pid]),
    [
      ['one', 7],
      ['two', 7]
    ]
  )
})
