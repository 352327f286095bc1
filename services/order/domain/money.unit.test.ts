import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { currencies, decimalsOf, defaultCurrency, toMinorUnits } from './money.ts'

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
