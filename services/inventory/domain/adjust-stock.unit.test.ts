import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adjustStock } from './adjust-stock.ts'

test('an adjustment adds to what is available, or takes from it down to nothing', () => {
  assert.deepEqual(adjustStock(5, 3), { kind: 'adjusted', available: 8 })
  assert.deepEqual(adjustStock(5, -5), { kind: 'adjusted', available: 0 })
})

test('what cannot be is refused with what there is', () => {
  assert.deepEqual(adjustStock(5, -6), { kind: 'too-few', available: 5 })
  assert.deepEqual(adjustStock(Number.MAX_SAFE_INTEGER, 1), { kind: 'too-many', available: Number.MAX_SAFE_INTEGER })
  assert.deepEqual(adjustStock(undefined, 3), { kind: 'unknown-sku' })
})
