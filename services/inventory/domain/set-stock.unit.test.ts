import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availableFor } from './set-stock.ts'

test('onHand minus the reserved pieces becomes available, and a lower onHand is refused', () => {
  assert.equal(availableFor({ onHand: 10 }, 4), 6)
  assert.equal(availableFor({ onHand: 4 }, 4), 0)
  assert.equal(availableFor({ onHand: 3 }, 4), undefined)
})

test('a given number of available pieces is used unchanged, whatever is reserved', () => {
  assert.equal(availableFor({ available: 0 }, 4), 0)
  assert.equal(availableFor({ available: 10 }, 4), 10)
})
