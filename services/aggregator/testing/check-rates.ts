import assert from 'node:assert/strict'
import type { OrderRate } from '@orderly/contracts'
import type { PublishedRate } from './pipeline.ts'

/** The newest record of each window, as compaction would leave them, by start. */
export function newest(rates: readonly PublishedRate[]): Map<number, OrderRate> {
  return new Map(rates.map(({ rate }) => [rate.windowStartMs, rate]))
}

/** However often something was published again: revisions never go down, one revision is always the same bytes, final is final. */
export function checkHistory(rates: readonly PublishedRate[]): void {
  for (const [key, own] of Map.groupBy(rates, ({ record }) => record.key)) {
    let last: PublishedRate | undefined
    for (const current of own) {
      if (last !== undefined) {
        assert.ok(current.rate.revision >= last.rate.revision, `${key}: a revision went down`)
        if (current.rate.revision === last.rate.revision) assert.deepEqual(current.record.value, last.record.value, key)
        if (last.rate.isFinal) assert.deepEqual([current.rate.isFinal, current.rate.orders], [true, last.rate.orders])
      }
      last = current
    }
  }
}
