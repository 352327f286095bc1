import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currencies, decimalsOf, defaultCurrency } from './currency.ts'

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
