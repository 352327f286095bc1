import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { addSchemaKeywords } from './schema-keywords.ts'

function compile(schema: object) {
  const ajv = new Ajv({ allErrors: true })
  addSchemaKeywords(ajv)
  return ajv.compile(schema)
}

const isCents = compile({ type: 'number', multipleOf: 0.01 })

test('every number with two decimals is a multiple of 0.01', () => {
  fc.assert(fc.property(fc.integer({ min: -1e13, max: 1e13 }), cents => assert.ok(isCents(cents / 100))))
})

test('a number with a third decimal is not a multiple of 0.01', () => {
  const thirdDecimal = fc.integer({ min: 1, max: 1e12 }).filter(mills => mills % 10 !== 0)
  fc.assert(fc.property(thirdDecimal, mills => assert.ok(!isCents(mills / 1_000))))
  for (const value of [1e-7, 0.1 + 0.2, Number.MIN_VALUE, Number.MAX_VALUE]) assert.ok(!isCents(value), String(value))
})

test('a step that cannot be checked exactly is refused when the schema is compiled', () => {
  assert.throws(() => compile({ type: 'number', multipleOf: 0.03 }), /cannot be checked exactly/)
  assert.throws(() => compile({ type: 'number', multipleOf: 5 }), /cannot be checked exactly/)
})

test('x-unique-by reports the path of each repetition and ignores items without the property', () => {
  const validate = compile({ type: 'object', properties: { items: { type: 'array', 'x-unique-by': 'sku' } } })
  const items = [{ sku: 'A' }, { sku: 'B' }, { sku: 'A' }, null, 7, {}, {}, { sku: 'A' }]
  assert.equal(validate({ items }), false)
  assert.deepEqual(
    validate.errors?.map(error => [error.instancePath, error.message]),
    [
      ['/items/2/sku', 'must be unique; item 0 has the same'],
      ['/items/7/sku', 'must be unique; item 0 has the same']
    ]
  )
  assert.ok(validate({ items: [{ sku: 'A' }, { sku: 'a' }] }))
})

test('x-decimals limits the decimals of a number by its unit or the default, and ignores other types', () => {
  const rule = { of: 'total', by: 'currency', usualUnit: 'EUR', usually: 2, but: { JPY: 0, KWD: 3 } }
  const validate = compile({ type: 'object', 'x-decimals': rule })
  const problemOf = (order: object) => {
    validate(order)
    return validate.errors?.map(error => `${error.instancePath} ${error.message}`).join()
  }
  assert.equal(problemOf({ total: 2.5, currency: 'JPY' }), '/total must have no decimals in JPY')
  assert.equal(problemOf({ total: 1.2345, currency: 'KWD' }), '/total must have at most 3 decimals in KWD')
  assert.equal(problemOf({ total: 1.234 }), '/total must have at most 2 decimals in EUR')
  assert.equal(problemOf({ total: 1.234, currency: 'toString' }), '/total must have at most 2 decimals in toString')
  const good = [{ total: 2, currency: 'JPY' }, { total: 1.234, currency: 'KWD' }, { total: 0.07 }, {}]
  for (const order of [...good, { total: '1.234' }, { total: 1.234, currency: 7 }]) {
    assert.equal(problemOf(order), undefined, JSON.stringify(order))
  }
})

test('x-exactly-one-of refuses objects with none or two of the properties and names all of them', () => {
  const validate = compile({
    type: 'object',
    properties: { items: { type: 'array', items: { type: 'object', 'x-exactly-one-of': ['available', 'onHand'] } } }
  })
  assert.equal(validate({ items: [{}, { available: 1 }, { available: 1, onHand: 2 }, { onHand: 2 }] }), false)
  assert.deepEqual(
    validate.errors?.map(error => [error.instancePath, error.message]),
    [
      ['/items/0', 'must have exactly one of `available`, `onHand` (has none)'],
      ['/items/2', 'must have exactly one of `available`, `onHand` (has 2)']
    ]
  )
})
