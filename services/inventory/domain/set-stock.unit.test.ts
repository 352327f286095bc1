import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availableFor } from './set-stock.ts'

test('a count of the shelf leaves what is not reserved, and is refused below what is', () => {
  assert.equal(availableFor({ onHand: 10 }, 4), 6)
  assert.equal(availableFor({ onHand: 4 }, 4), 0)
  assert.equal(availableFor({ onHand: 3 }, 4), undefined)
})

test('a number of available pieces is taken as it is, whatever is reserved', () => {
  assert.equal(availableFor({ available: 0 }, 4), 0)
  assert.equal(availableFor({ available: 10 }, 4), 10)
})
