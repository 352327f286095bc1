import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultsOf, orderCreatedSchemas } from '@orderly/contracts'
import fc from 'fast-check'
import {
  acceptOrder,
  canonicalize,
  currencies,
  decimalsOf,
  defaultCurrency,
  type PlaceOrder,
  toMinorUnits
} from './accept-order.ts'
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

test('amounts without an exact binary form are converted exactly', () => {
  for (const [amount, minorUnits] of [
    [0.07, 7],
    [1.1, 110],
    [4.35, 435],
    [1.15, 115],
    [8.2, 820],
    [100, 10_000],
    [0, 0],
    [-0, 0],
    [1_000_000_000, 100_000_000_000]
  ] as const) {
    assert.ok(Object.is(toMinorUnits(amount, 2), minorUnits), `${amount}`)
  }
})

test('an amount with two decimals is converted to the digits of its text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000_000 }), fc.integer({ min: 0, max: 99 }), (whole, cents) => {
      const written = `${whole}.${String(cents).padStart(2, '0')}`
      assert.equal(toMinorUnits(JSON.parse(written), 2), whole * 100 + cents)
    })
  )
})

test('a negative, too precise or too large amount is refused', () => {
  for (const amount of [
    -1,
    -0.01,
    0.001,
    1.005,
    0.1 + 0.2,
    1e-7,
    1e21,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53
  ]) {
    assert.throws(() => toMinorUnits(amount, 2), RangeError, String(amount))
  }
})

test('any number is either converted exactly or refused', () => {
  fc.assert(
    fc.property(fc.double(), amount => {
      let minorUnits: number
      try {
        minorUnits = toMinorUnits(amount, 2)
      } catch (error) {
        assert.ok(error instanceof RangeError)
        return
      }
      assert.ok(Number.isSafeInteger(minorUnits) && minorUnits >= 0)
      assert.equal(minorUnits / 100, Math.abs(amount))
    })
  )
})

test('an amount may have the given number of decimals and no more', () => {
  for (const [amount, decimals, minorUnits] of [
    [2_500, 0, 2_500],
    [1.5, 3, 1_500],
    [0.001, 3, 1],
    [1_000_000_000, 3, 1_000_000_000_000]
  ] as const) {
    assert.equal(toMinorUnits(amount, decimals), minorUnits)
  }
  assert.throws(() => toMinorUnits(0.5, 0), RangeError)
  assert.throws(() => toMinorUnits(0.0005, 3), RangeError)
})

test('currencies are distinct codes of three letters, and the default is one of them', () => {
  assert.equal(new Set(currencies).size, currencies.length)
  assert.ok(currencies.length > 150)
  for (const currency of currencies) assert.match(currency, /^[A-Z]{3}$/)
  assert.ok(currencies.includes(defaultCurrency))
})

test('a currency has the decimals of ISO 4217', () => {
  const expected = { EUR: 2, USD: 2, HUF: 2, JPY: 0, ISK: 0, KWD: 3, TND: 3 }
  for (const [currency, decimals] of Object.entries(expected)) assert.equal(decimalsOf(currency), decimals, currency)
})

test('a text that is not the code of a currency in circulation is refused', () => {
  for (const text of ['DEM', 'XXX', 'eur', '', 'toString']) assert.throws(() => decimalsOf(text), RangeError)
})
