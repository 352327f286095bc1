import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CountSummary, countOrders, type OrderRecord } from './count-orders.ts'
import type { CountedOffsets } from './counted-offsets.ts'
import { orderRecords } from './testing/arbitraries.ts'
import { isLate, windowMs, windowStartOf } from './window.ts'

const policy = { graceMs: windowMs, clockSkewMs: 1_000, retentionMs: 1_000 * windowMs }
const nothingFinal = { finalWindows: new Set<number>(), firstKeptWindowMs: 0 }

/** Counts batches in sequence and keeps the state as a store does. */
function countAll(batches: readonly (readonly OrderRecord[])[]) {
  const offsets = new Map<number, CountedOffsets>()
  const windows = new Map<number, { orders: number; late: number }>()
  const summaries: CountSummary[] = []
  for (const batch of batches) {
    const count = countOrders(batch, { offsets, ...nothingFinal }, policy)
    summaries.push(count.summary)
    for (const [partition, state] of count.partitions) offsets.set(partition, state.offsets)
    for (const [startMs, { orders, late }] of count.windows) {
      const known = windows.get(startMs) ?? { orders: 0, late: 0 }
      windows.set(startMs, { orders: known.orders + orders, late: known.late + late })
    }
  }
  return { windows: new Map([...windows].sort(([a], [b]) => a - b)), summaries }
}

test('a window counts the orders created in it, and separately those written after its grace period', () => {
  fc.assert(
    fc.property(orderRecords(), orders => {
      const { windows } = countAll([orders])
      for (const [startMs, own] of Map.groupBy(orders, ({ createdAtMs }) => windowStartOf(createdAtMs))) {
        const late = own.filter(({ writtenAtMs }) => isLate(startMs, writtenAtMs, policy)).length
        assert.deepEqual(windows.get(startMs), { orders: own.length - late, late })
        windows.delete(startMs)
      }
      assert.equal(windows.size, 0)
    })
  )
})

test('any split into batches, with repetitions and in any sequence, gives the same totals', () => {
  const cuts = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 })
  fc.assert(
    fc.property(orderRecords(), cuts, fc.nat(), (orders, cuts, seed) => {
      const pieces = cuts.map(([start, length]) => {
        const from = start % (orders.length + 1)
        return orders.slice(from, from + (length % (orders.length + 1)))
      })
      const at = seed % (pieces.length + 1)
      const { windows, summaries } = countAll([...pieces.slice(0, at), orders, ...pieces.slice(at)])
      assert.deepEqual(windows, countAll([orders]).windows)
      const counted = summaries.reduce((sum, { inTime, late }) => sum + inTime + late, 0)
      assert.equal(counted, orders.length)
    })
  )
})

test('a record that is missing from one attempt and present in the next is counted once', () => {
  const order = (offset: number) => ({ partition: 0, offset, createdAtMs: 0, writtenAtMs: 0 })
  const { windows } = countAll([
    [order(0), order(2)],
    [order(0), order(1), order(2)],
    [order(0), order(1), order(2)]
  ])
  assert.deepEqual(windows.get(0), { orders: 3, late: 0 })
})

test('a final window counts new orders as late, and a window that is no longer kept is not created again', () => {
  const order = (offset: number, createdAtMs: number) => ({
    partition: 0,
    offset,
    createdAtMs,
    writtenAtMs: createdAtMs
  })
  const counted = { offsets: new Map(), finalWindows: new Set([2 * windowMs]), firstKeptWindowMs: windowMs }
  const orders = [order(0, 0), order(1, windowMs), order(2, 2 * windowMs)]
  const { windows, partitions, summary } = countOrders(orders, counted, policy)
  assert.deepEqual(
    [...windows],
    [
      [windowMs, { orders: 1, late: 0 }],
      [2 * windowMs, { orders: 0, late: 1 }]
    ]
  )
  assert.deepEqual([...partitions], [[0, { offsets: { next: 3, gaps: [] }, unplaced: 1 }]])
  assert.deepEqual(summary, { inTime: 1, late: 1, unplaced: 1, repeated: 0 })
})
