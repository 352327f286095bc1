import assert from 'node:assert/strict'
import type { OrderRate } from '@orderly/contracts'
import type { PublishedRate } from './pipeline.ts'

/** Returns the newest record of each window by start time, as compaction would keep it. */
export function newest(rates: readonly PublishedRate[]): Map<number, OrderRate> {
  return new Map(rates.map(({ rate }) => [rate.windowStartMs, rate]))
}

/**
 * Asserts that revisions never decrease, equal revisions have the same bytes, and final windows
 * stay final.
 */
export function checkHistory(rates: readonly PublishedRate[]): void {
  for (const [key, own] of Map.groupBy(rates, ({ record }) => record.key)) {
    let last: PublishedRate | undefined
    for (const current of own) {
      if (last !== undefined) {
        assert.ok(current.rate.revision >= last.rate.revision, `${key}: a revision decreased`)
        if (current.rate.revision === last.rate.revision) assert.deepEqual(current.record.value, last.record.value, key)
        if (last.rate.isFinal) assert.deepEqual([current.rate.isFinal, current.rate.orders], [true, last.rate.orders])
      }
      last = current
    }
  }
}
