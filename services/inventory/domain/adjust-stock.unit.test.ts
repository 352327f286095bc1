import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adjustStock } from './adjust-stock.ts'

test('an adjustment adds to the available pieces, or subtracts from them down to zero', () => {
  assert.deepEqual(adjustStock(5, 3), { kind: 'adjusted', available: 8 })
  assert.deepEqual(adjustStock(5, -5), { kind: 'adjusted', available: 0 })
})

test('an adjustment below zero, beyond safe integers or of an unknown SKU is refused', () => {
  assert.deepEqual(adjustStock(5, -6), { kind: 'too-few', available: 5 })
  assert.deepEqual(adjustStock(Number.MAX_SAFE_INTEGER, 1), { kind: 'too-many', available: Number.MAX_SAFE_INTEGER })
  assert.deepEqual(adjustStock(undefined, 3), { kind: 'unknown-sku' })
})
