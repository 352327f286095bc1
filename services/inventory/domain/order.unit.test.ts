import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOrder, demandOf } from './order.ts'

const valid = { orderID: '1', userID: 'ann', items: [{ sku: 'mug', quantity: 1 }] }

test('a valid order is accepted', () => {
  checkOrder(valid)
  checkOrder({ ...valid, caller: 'berlin' })
})

test('an order that would create stock or cannot be stored is refused', () => {
  const wrong = [
    { ...valid, items: [] },
    { ...valid, orderID: '' },
    { ...valid, userID: '' },
    { ...valid, orderID: 'a\0b' },
    { ...valid, userID: 'a\u001fb' },
    ...['', 'a\0b', 'a\u001fb'].map(caller => ({ ...valid, caller })),
    ...[0, -1, 1.5, Number.NaN].map(quantity => ({ ...valid, items: [{ sku: 'mug', quantity }] })),
    ...['', 'a\0b'].map(sku => ({ ...valid, items: [{ sku, quantity: 1 }] }))
  ]
  for (const order of wrong) assert.throws(() => checkOrder(order), { code: 'ORDER_INVALID', retryable: false })
})

test('the demand adds up lines with the same SKU', () => {
  const items = [
    { sku: 'mug', quantity: 1 },
    { sku: 'tea', quantity: 2 },
    { sku: 'mug', quantity: 3 }
  ]
  assert.deepEqual(
    [...demandOf(items)],
    [
      ['mug', 4],
      ['tea', 2]
    ]
  )
})
