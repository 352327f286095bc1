import assert from 'node:assert/strict'
import { test } from 'node:test'
import avro from 'avsc'
import fc from 'fast-check'
import { findIncompatibilities } from './full-transitive.ts'
import { findObstacles } from './resolution.ts'
import { modelOf } from './schema-model.ts'

const orderID = { name: 'orderID', type: 'string' }
const currency = { name: 'currency', type: 'string', default: 'EUR' }

function order(...fields: readonly object[]): object {
  return { type: 'record', name: 'OrderPaid', namespace: 'com.orderly.events', fields }
}

/** Returns each incompatibility as `rule version against path`. */
function found(...versions: readonly object[]): string[] {
  return findIncompatibilities(versions).map(({ rule, version, against, path }) =>
    [rule, `v${version}`, against.map(older => `v${older}`).join('+'), path].join(' ')
  )
}

const state = (...symbols: readonly string[]) => ({
  name: 'state',
  type: { type: 'enum', name: 'State', symbols },
  default: symbols[0]
})
const stateOrUnknown = (...symbols: readonly string[]) => ({
  name: 'state',
  type: { type: 'enum', name: 'State', symbols: ['UNKNOWN', ...symbols], default: 'UNKNOWN' }
})
const items = (...fields: readonly object[]) => ({
  name: 'items',
  type: { type: 'array', items: { type: 'record', name: 'Item', fields } }
})
const at = (logicalType: string) => ({ name: 'at', type: { type: 'long', logicalType } })
const hash = (size: number) => ({ name: 'hash', type: { type: 'fixed', name: 'Hash', size } })

const cases: readonly [title: string, versions: readonly object[], expected: readonly string[]][] = [
  ['an added field with a default', [order(orderID), order(orderID, currency)], []],
  ['fields in another order', [order(orderID, currency), order(currency, orderID)], []],
  ['other documentation', [order(orderID), { ...order({ ...orderID, doc: 'Unique.' }), doc: 'Paid.' }], []],
  [
    'an added field without a default',
    [order(orderID), order(orderID, { name: 'note', type: 'string' })],
    ['FIELD_WITHOUT_DEFAULT v2 v1 note']
  ],
  [
    'a removed field without a default',
    [order(orderID, { name: 'userID', type: 'string' }), order(orderID)],
    ['FIELD_WITHOUT_DEFAULT v2 v1 userID']
  ],
  ['a removed field with a default', [order(orderID, currency), order(orderID)], []],
  [
    'a removed default, with a version without the field',
    [order(orderID), order(orderID, currency), order(orderID, { name: 'currency', type: 'string' })],
    ['FIELD_WITHOUT_DEFAULT v3 v1 currency']
  ],
  [
    'a renamed field, which older code does not find',
    [order(orderID), order({ name: 'id', aliases: ['orderID'], type: 'string' })],
    ['FIELD_WITHOUT_DEFAULT v2 v1 orderID']
  ],
  ['another type', [order(orderID), order({ name: 'orderID', type: 'long' })], ['TYPE_CHANGED v2 v1 orderID']],
  [
    'a promotion, which only the newer version can read',
    [order({ name: 'quantity', type: 'int' }), order({ name: 'quantity', type: 'long' })],
    ['TYPE_CHANGED v2 v1 quantity']
  ],
  [
    'a change in a nested record',
    [order(items({ name: 'sku', type: 'string' })), order(items({ name: 'sku', type: 'string' }, orderID))],
    ['FIELD_WITHOUT_DEFAULT v2 v1 items[].orderID']
  ],
  ['a new symbol', [order(state('OPEN')), order(state('OPEN', 'PAID'))], ['ENUM_SYMBOL_UNKNOWN v2 v1 state']],
  ['a new symbol of an enum with a default', [order(stateOrUnknown('A')), order(stateOrUnknown('A', 'B'))], []],
  ['another size', [order(hash(16)), order(hash(32))], ['FIXED_SIZE_CHANGED v2 v1 hash']],
  [
    'a field that became nullable',
    [order(orderID), order({ name: 'orderID', type: ['null', 'string'] })],
    ['UNION_BRANCH_UNKNOWN v2 v1 orderID']
  ],
  [
    'an added union branch',
    [order({ name: 'n', type: ['null', 'string'] }), order({ name: 'n', type: ['null', 'string', 'boolean'] })],
    ['UNION_BRANCH_UNKNOWN v2 v1 n']
  ],
  ['another name', [order(orderID), { ...order(orderID), name: 'OrderSettled' }], ['NAME_CHANGED v2 v1 ']],
  [
    'another namespace, which registries accept',
    [order(orderID), { ...order(orderID), namespace: 'com.example' }],
    ['NAMESPACE_CHANGED v2 v1 ']
  ],
  [
    'another namespace of a nested enum',
    [order(state('OPEN')), order({ ...state('OPEN'), type: { ...state('OPEN').type, namespace: 'com.example' } })],
    ['NAMESPACE_CHANGED v2 v1 state']
  ],
  [
    'another default, which registries accept',
    [order(orderID), order(orderID, currency), order(orderID, { ...currency, default: 'USD' })],
    ['DEFAULT_CHANGED v3 v2 currency']
  ],
  [
    'another unit, which registries accept',
    [order(at('timestamp-millis')), order(at('timestamp-micros'))],
    ['LOGICAL_TYPE_CHANGED v2 v1 at']
  ],
  [
    'an incompatibility with several earlier versions',
    [order(orderID), order(orderID, currency), order(currency)],
    ['FIELD_WITHOUT_DEFAULT v3 v1+v2 orderID']
  ]
]

for (const [title, versions, expected] of cases) {
  test(`${title}: ${expected.length === 0 ? 'compatible' : expected.join(', ')}`, () => {
    assert.deepEqual(found(...versions), expected)
  })
}

test('the check of a recursive record terminates', () => {
  const tree = (...fields: readonly object[]) =>
    order({ name: 'children', type: { type: 'array', items: 'OrderPaid' } }, ...fields)
  assert.deepEqual(found(tree(), tree(currency)), [])
  assert.deepEqual(found(tree(), tree(orderID)), ['FIELD_WITHOUT_DEFAULT v2 v1 orderID'])
})

const leaf = fc.constantFrom<unknown>(
  'int',
  'long',
  'double',
  'string',
  'bytes',
  ['null', 'string'],
  ['null', 'long', 'string'],
  { type: 'enum', name: 'State', symbols: ['A', 'B'] },
  { type: 'enum', name: 'State', namespace: 'com.example', symbols: ['A', 'B'] },
  { type: 'enum', name: 'State', symbols: ['A', 'B', 'C'], default: 'A' },
  { type: 'fixed', name: 'Hash', size: 2 },
  { type: 'fixed', name: 'Hash', size: 3 }
)
const composite = fc.oneof(
  leaf,
  leaf.map(values => ({ type: 'map', values })),
  leaf.map(type => ({
    type: 'array',
    items: { type: 'record', name: 'Item', fields: [{ name: 'a', type }] }
  }))
)
/**
 * Generates a schema with one field of the drawn type; a second one would declare the same type
 * name again.
 */
const schemaWith = (type: unknown) =>
  fc
    .tuple(fc.subarray(['string', 'long'] as const), fc.boolean())
    .map(([others, hasNullable]) =>
      order(
        { name: 'drawn', type },
        ...others.map(other => ({ name: `some_${other}`, type: other })),
        ...(hasNullable ? [{ name: 'note', type: ['null', 'string'], default: null }] : [])
      )
    )
/** Two random types are rarely compatible, so half of the pairs have equal types. */
const pairOfTypes = fc.oneof(
  fc.tuple(composite, composite),
  composite.map(type => [type, type] as const)
)
const pairOfSchemas = pairOfTypes.chain(([reader, writer]) => fc.tuple(schemaWith(reader), schemaWith(writer)))

test('the check accepts exactly the schemas that the codec library can resolve', () => {
  let compatible = 0
  fc.assert(
    fc.property(pairOfSchemas, ([reader, writer]) => {
      const passes = findObstacles(modelOf(reader), modelOf(writer)).length === 0
      if (passes) compatible++
      assert.equal(canResolve(reader, writer), passes)
    }),
    { numRuns: 3_000 }
  )
  // About 900 are expected.
  assert.ok(compatible > 300, `${compatible} pairs were compatible`)
})

function canResolve(reader: object, writer: object): boolean {
  type AvscSchema = Parameters<typeof avro.Type.forSchema>[0]
  const [readerType, writerType] = [reader, writer].map(schema => avro.Type.forSchema(schema as AvscSchema))
  try {
    readerType?.createResolver(writerType as avro.Type, { ignoreNamespaces: true })
    return true
  } catch {
    return false
  }
}
