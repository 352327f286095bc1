import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ContractFileError, readEventFolders } from './version-files.ts'

const orderID = { name: 'orderID', type: 'string' }
const item = { type: 'record', name: 'Item', fields: [{ name: 'sku', type: 'strng' }] }

/** Returns the error message for a version with these fields, or with this text. */
function problemOf(t: TestContext, version: readonly object[] | string): string {
  const directory = mkdtempSync(join(tmpdir(), 'contracts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  mkdirSync(join(directory, 'order-paid'))
  const text =
    typeof version === 'string' ? version : JSON.stringify({ type: 'record', name: 'OrderPaid', fields: version })
  writeFileSync(join(directory, 'order-paid', 'v1.avsc'), text)
  try {
    readEventFolders(directory)
  } catch (error) {
    assert.ok(error instanceof ContractFileError, String(error))
    return error.message
  }
  return 'nothing'
}

const cases: readonly [what: string, version: readonly object[] | string, problem: RegExp][] = [
  ['invalid JSON', '{ "type": "record",', /not valid JSON: .*position/],
  ['JSON that is not a schema', 'null', /not a valid Avro schema: /],
  ['a schema without fields', '{"type":"record","name":"OrderPaid"}', /not a valid Avro schema: .*fields/],
  ['a default of another type', [orderID, { name: 'n', type: 'int', default: 'x' }], /the field n: .*default "x"/],
  ['an unknown type', [orderID, { name: 'note', type: 'strng' }], /the field note: .*strng/],
  ['an unknown type in a nested record', [orderID, { name: 'item', type: item }], /the field item: .*strng/],
  ['a field without a type', [orderID, { name: 'note' }], /the field note: /],
  ['a duplicate field', [orderID, orderID], /the field orderID: duplicate field name$/]
]

for (const [what, version, problem] of cases) {
  test(`${what} is reported with its file, and its field if there is one`, t => {
    const message = problemOf(t, version)
    assert.match(message, /^contracts\/order-paid\/v1\.avsc: /)
    assert.match(message, problem)
  })
}
