import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEventFolders } from '../compatibility/version-files.ts'
import { fingerprintOf } from './fingerprint.ts'
import { parseAvroType } from './types.ts'

test('fingerprints equal those of the Avro specification', () => {
  // Test data from share/test/data/schema-tests.txt of Apache Avro, which has signed decimal
  // numbers.
  for (const [schema, expected] of [
    ['null', 7_195_948_357_588_979_594n],
    ['boolean', -6_970_731_678_124_411_036n],
    ['int', 8_247_732_601_305_521_295n],
    ['string', -8_142_146_995_180_207_161n],
    [{ type: 'fixed', name: 'foo', size: 15 }, 1_756_455_273_707_447_556n],
    [{ type: 'record', name: 'foo', fields: [] }, -4_824_392_279_771_201_922n]
  ] as const) {
    const fingerprint = fingerprintOf(parseAvroType(schema as object))
    assert.equal(BigInt.asIntN(64, BigInt(`0x${fingerprint}`)), expected, JSON.stringify(schema))
    assert.match(fingerprint, /^[0-9a-f]{16}$/)
  }
})

test('a fingerprint depends on names and types, not on documentation and defaults', () => {
  const schema = { type: 'record', name: 'Event', namespace: 'a', fields: [{ name: 'id', type: 'string' }] }
  const of = (other: object) => fingerprintOf(parseAvroType({ ...schema, ...other }))
  const field = { name: 'id', type: 'string', doc: 'Unique.', default: '' }
  assert.equal(of({ doc: 'An event.', fields: [field] }), of({}))
  assert.notEqual(of({ namespace: 'b' }), of({}))
  assert.notEqual(of({ fields: [{ ...field, type: 'bytes' }] }), of({}))
})

test('all released versions of all events have different fingerprints', () => {
  const released = readEventFolders(`${import.meta.dirname}/..`).flatMap(({ versions }) => versions)
  assert.ok(released.length >= 10)
  assert.equal(new Set(released.map(schema => fingerprintOf(parseAvroType(schema)))).size, released.length)
})
