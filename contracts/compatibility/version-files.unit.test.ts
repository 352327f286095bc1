import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ContractFileError, readEventFolders } from './version-files.ts'

const orderID = { name: 'orderID', type: 'string' }
const item = { type: 'record', name: 'Item', fields: [{ name: 'sku', type: 'strng' }] }

/** What is said of a version with these fields, or with this text. */
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
  ['broken JSON', '{ "type": "record",', /no JSON: .*position/],
  ['JSON that is no schema', 'null', /no Avro schema: /],
  ['a schema without fields', '{"type":"record","name":"OrderPaid"}', /no Avro schema: .*fields/],
  ['a default of another type', [orderID, { name: 'n', type: 'int', default: 'x' }], /the field n: .*default "x"/],
  ['a type that is none', [orderID, { name: 'note', type: 'strng' }], /the field note: .*strng/],
  ['a type further in that is none', [orderID, { name: 'item', type: item }], /the field item: .*strng/],
  ['a field without a type', [orderID, { name: 'note' }], /the field note: /],
  ['a field that is there twice', [orderID, orderID], /the field orderID: duplicate field name$/]
]

for (const [what, version, problem] of cases) {
  test(`${what} is a problem of its file, and of a field where there is one to blame`, t => {
    const message = problemOf(t, version)
    assert.match(message, /^contracts\/order-paid\/v1\.avsc: /)
    assert.match(message, problem)
  })
}
