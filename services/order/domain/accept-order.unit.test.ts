import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultsOf, orderCreatedSchemas } from '@orderly/contracts'
import fc from 'fast-check'
import { acceptOrder, canonicalize, type PlaceOrder } from './accept-order.ts'
import { everyField, otherValues } from './testing/every-field.ts'

test('an accepted order without a currency becomes an OrderCreated in euros with the given id and time', () => {
  const command = { userID: 'user-17', items: [{ sku: 'TEA', quantity: 2 }], total: 25.9 }
  assert.deepEqual(acceptOrder(command, { orderID: '0198', nowMs: 1_700_000_000_000 }), {
    ...defaultsOf(orderCreatedSchemas),
    orderID: '0198',
    userID: 'user-17',
    items: [{ sku: 'TEA', quantity: 2 }],
    totalMinor: 2_590,
    currency: 'EUR',
    createdAtMs: 1_700_000_000_000
  })
})

test('the total of an accepted order is in the minor units of its currency', () => {
  for (const [total, currency, totalMinor] of [
    [25.9, 'USD', 2_590],
    [2_500, 'JPY', 2_500],
    [1.234, 'KWD', 1_234]
  ] as const) {
    const order = acceptOrder(
      { userID: 'u', items: [{ sku: 's', quantity: 1 }], total, currency },
      { orderID: 'o', nowMs: 0 }
    )
    assert.deepEqual([order.totalMinor, order.currency], [totalMinor, currency])
  }
})

const meaning = (command: PlaceOrder) => canonicalize(acceptOrder(command, { orderID: '', nowMs: 0 }))

const order: PlaceOrder = {
  userID: 'ann',
  items: [
    { sku: 'MUG', quantity: 1 },
    { sku: 'TEA', quantity: 2 }
  ],
  total: 2.5
}

const orders = fc.record({
  userID: fc.string({ unit: 'grapheme', minLength: 1 }),
  items: fc.uniqueArray(fc.record({ sku: fc.string({ minLength: 1 }), quantity: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 5,
    selector: ({ sku }) => sku
  }),
  total: fc.integer({ min: 0, max: 99_999 }).map(cents => cents / 100)
})

test('equivalent request bodies have the same canonical text', () => {
  const texts = [
    '{"userID":"ann","items":[{"sku":"MUG","quantity":1},{"sku":"TEA","quantity":2}],"total":2.5}',
    '{ "total": 2.50, "items": [{"quantity":2,"sku":"TEA"}, {"quantity":1.0,"sku":"M\\u0055G"}], "userID": "ann" }',
    '{"userID":"ann","items":[{"sku":"MUG","quantity":1},{"sku":"TEA","quantity":2e0}],"total":25e-1,"currency":"EUR"}'
  ]
  for (const text of texts) assert.equal(meaning(JSON.parse(text)), meaning(order))
})

test('the canonical text of an order without optional fields is the same in every version', () => {
  assert.equal(meaning(order), '["order",1,"ann",250,"EUR",[["MUG",1],["TEA",2]]]')
  assert.notEqual(meaning({ ...order, holdSeconds: 60 }), meaning(order))
})

test('every field of an order is part of its canonical text', () => {
  for (const field of Object.keys(everyField) as (keyof PlaceOrder)[]) {
    const changed = { ...everyField, [field]: otherValues[field] }
    assert.notEqual(meaning(changed), meaning(everyField), field)
  }
})

test('the order of the lines does not change the canonical text', () => {
  const shuffled = orders.chain(order =>
    fc.tuple(
      fc.constant(order),
      fc.shuffledSubarray(order.items, { minLength: order.items.length, maxLength: order.items.length })
    )
  )
  fc.assert(fc.property(shuffled, ([order, items]) => assert.equal(meaning({ ...order, items }), meaning(order))))
})

test('orders that differ in any field have different canonical texts', () => {
  const others: PlaceOrder[] = [
    { ...order, userID: 'Ann' },
    { ...order, total: 2.51 },
    { ...order, currency: 'USD' },
    { ...order, items: order.items.slice(1) },
    { ...order, items: order.items.map(({ sku, quantity }) => ({ sku, quantity: quantity + 1 })) },
    { ...order, items: order.items.map(({ quantity }, index) => ({ sku: index === 0 ? 'CUP' : 'TEA', quantity })) }
  ]
  for (const other of others) assert.notEqual(meaning(other), meaning(order))
})

test('two orders have the same canonical text only if they are equal except for the order of lines', () => {
  const sorted = (order: PlaceOrder) => ({
    ...order,
    items: order.items.toSorted((a, b) => (a.sku < b.sku ? -1 : 1))
  })
  fc.assert(
    fc.property(orders, orders, (a, b) => {
      const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
      assert.equal(meaning(a) === meaning(b), isSame)
    })
  )
})
