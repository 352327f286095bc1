import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adjustStock, availableFor } from './stock-count.ts'

test('an adjustment adds to the available pieces, or subtracts from them down to zero', () => {
  assert.deepEqual(adjustStock(5, 3), { kind: 'adjusted', available: 8 })
  assert.deepEqual(adjustStock(5, -5), { kind: 'adjusted', available: 0 })
})

test('an adjustment below zero, beyond safe integers or of an unknown SKU is refused', () => {
  assert.deepEqual(adjustStock(5, -6), { kind: 'too-few', available: 5 })
  assert.deepEqual(adjustStock(Number.MAX_SAFE_INTEGER, 1), { kind: 'too-many', available: Number.MAX_SAFE_INTEGER })
  assert.deepEqual(adjustStock(undefined, 3), { kind: 'unknown-sku' })
})

test('onHand minus the reserved pieces becomes available, and a lower onHand is refused', () => {
  assert.equal(availableFor({ onHand: 10 }, 4), 6)
  assert.equal(availableFor({ onHand: 4 }, 4), 0)
  assert.equal(availableFor({ onHand: 3 }, 4), undefined)
})

test('a given number of available pieces is used unchanged, whatever is reserved', () => {
  assert.equal(availableFor({ available: 0 }, 4), 0)
  assert.equal(availableFor({ available: 10 }, 4), 10)
})
