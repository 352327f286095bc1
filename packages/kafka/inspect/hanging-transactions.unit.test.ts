import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findHangingTransactions, type ObservedTransactions } from './hanging-transactions.ts'

const nowMs = 1_000_000
const place = { topic: 'orders', partition: 3 }
const holder = { producerID: 7n, epoch: 2, firstOffset: 40n, lastWrittenAtMs: nowMs - 90_000 }
const held = { ...place, stableOffset: 40n, endOffset: 45n, holders: [holder] }
const open = {
  transactionalID: 'inventory-1',
  producerID: 7n,
  epoch: 2,
  state: 'Ongoing',
  startedAtMs: nowMs - 8_000,
  timeoutMs: 10_000,
  partitions: [place]
}
const quiet: ObservedTransactions = { partitions: [place], heldBefore: [], heldAfter: [], open: [], nowMs }
const find = (observed: Partial<ObservedTransactions>, afterMs = 5_000) =>
  findHangingTransactions({ ...quiet, ...observed }, { afterMs })

test('a transaction is reported once it has been open for the requested time', () => {
  const [found, ...others] = find({ open: [open], heldBefore: [held], heldAfter: [held] })
  assert.equal(found?.kind, 'open')
  assert.equal(found?.transactionalID, 'inventory-1')
  assert.equal(found?.sinceMs, open.startedAtMs)
  assert.deepEqual(others, [])
  assert.deepEqual(find({ open: [open] }, 8_001), [])
})

test('a transaction that is open long after its timeout is overdue', () => {
  const [found] = find({ open: [{ ...open, startedAtMs: nowMs - 60_000 }] })
  assert.equal(found?.kind, 'overdue')
})

test('a transaction unknown to every coordinator is forgotten, and reported with every partition that it blocks', () => {
  const another = { ...held, partition: 1, holders: [{ ...holder, firstOffset: 9n, lastWrittenAtMs: nowMs - 95_000 }] }
  assert.deepEqual(find({ heldBefore: [held, another], heldAfter: [held, another] }), [
    {
      kind: 'forgotten',
      transactionalID: undefined,
      producerID: 7n,
      epoch: 2,
      sinceMs: nowMs - 95_000,
      timeoutMs: undefined,
      partitions: [
        { ...place, firstOffset: 40n },
        { topic: 'orders', partition: 1, firstOffset: 9n }
      ]
    }
  ])
})

test('a transaction that ended or began during the queries is not reported as forgotten', () => {
  assert.deepEqual(find({ heldBefore: [held], heldAfter: [] }), [])
  assert.deepEqual(find({ heldBefore: [], heldAfter: [held] }), [])
  const next = { ...held, holders: [{ ...holder, firstOffset: 50n }] }
  assert.deepEqual(find({ heldBefore: [held], heldAfter: [next] }), [])
})

test('transactions that write to other partitions are ignored', () => {
  assert.deepEqual(find({ open: [{ ...open, partitions: [{ topic: 'payments', partition: 3 }] }] }), [])
})
