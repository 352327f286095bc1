import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { generate, staleFiles } from './generate.ts'
import { typescriptTypes } from './generator/typescript-types.ts'

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'contracts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

function writeSchema(directory: string, folder: string, fileName: string, schema: object): void {
  mkdirSync(join(directory, folder), { recursive: true })
  writeFileSync(join(directory, folder, fileName), JSON.stringify(schema))
}

const paid = { type: 'record', name: 'OrderPaid', fields: [{ name: 'orderID', type: 'string' }] }

test('the generated files in the repository match the schemas', () => {
  assert.deepEqual(staleFiles(import.meta.dirname), [])
})

test('outdated, missing and left-over files are reported as stale', t => {
  const directory = temporaryDirectory(t)
  for (const [folder, name] of [
    ['order-paid', 'OrderPaid'],
    ['order-sent', 'OrderSent'],
    ['order-lost', 'OrderLost']
  ] as const) {
    writeSchema(directory, folder, 'v1.avsc', { ...paid, name })
  }
  mkdirSync(join(directory, 'generated'))
  for (const [name, text] of generate(directory)) writeFileSync(join(directory, 'generated', name), text)
  assert.deepEqual(staleFiles(directory), [])
  writeSchema(directory, 'order-paid', 'v1.avsc', { ...paid, doc: 'Changed.' })
  rmSync(join(directory, 'generated', 'order-sent.ts'))
  rmSync(join(directory, 'order-lost'), { recursive: true })
  assert.deepEqual(staleFiles(directory).sort(), ['order-lost.ts', 'order-paid.ts', 'order-sent.ts'])
})

test('all versions are generated as constants, and the newest as the type of the event', t => {
  const directory = temporaryDirectory(t)
  writeSchema(directory, 'order-paid', 'v1.avsc', paid)
  const note = { name: 'note', type: ['null', 'string'], default: null }
  writeSchema(directory, 'order-paid', 'v2.avsc', { ...paid, fields: [...paid.fields, note] })
  const text = generate(directory).get('order-paid.ts') ?? ''
  assert.match(text, /export interface OrderPaid {\n {2}readonly orderID: string\n {2}readonly note: null \| string\n}/)
  assert.match(text, /export interface OrderPaidV1 {\n {2}readonly orderID: string\n}/)
  assert.match(text, /export interface OrderPaidVersions {\n {2}readonly 1: OrderPaidV1\n {2}readonly 2: OrderPaid\n}/)
  assert.match(text, /newestVersion: 2/)
  assert.match(text, /^ {4}1: {/m)
  assert.match(text, /^ {4}2: {/m)
})

test('a gap between versions and a name that differs from the folder are refused with the file name', t => {
  const directory = temporaryDirectory(t)
  writeSchema(directory, 'order-paid', 'v2.avsc', paid)
  assert.throws(() => generate(directory), /order-paid.*v1\.avsc is missing/)
  writeSchema(directory, 'order-paid', 'v1.avsc', { ...paid, name: 'Order' })
  assert.throws(() => generate(directory), /order-paid\/v1\.avsc: must be a record named OrderPaid/)
})

test('each Avro type is generated as the TypeScript type that the codec reads and writes', () => {
  const types = typescriptTypes({
    type: 'record',
    name: 'Everything',
    doc: 'All of it.',
    fields: [
      { name: 'flag', type: 'boolean' },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'state', type: { type: 'enum', name: 'State', symbols: ['ON', 'OFF'] } },
      { name: 'maybe', type: { type: 'array', items: ['null', 'string'] } },
      { name: 'labels', type: { type: 'map', values: 'double' } },
      { name: 'one', type: { type: 'record', name: 'Part', fields: [{ name: 'bytes', type: 'bytes' }] } },
      { name: 'more', doc: 'Several.', type: { type: 'array', items: 'Part' } }
    ]
  })
  assert.equal(
    types,
    `/** All of it. */
export interface Everything {
  readonly flag: boolean
  readonly at: number
  readonly state: 'ON' | 'OFF'
  readonly maybe: readonly (null | string)[]
  readonly labels: Readonly<Record<string, number>>
  readonly one: Part
  /** Several. */
  readonly more: readonly Part[]
}

export interface Part {
  readonly bytes: Buffer
}
`
  )
})

test('an unsupported Avro type is refused with its name and its file', t => {
  const directory = temporaryDirectory(t)
  const hash = { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 16 } }
  writeSchema(directory, 'order-paid', 'v1.avsc', { ...paid, fields: [hash] })
  assert.throws(() => generate(directory), /contracts\/order-paid\/v1\.avsc: .*"fixed"/)
})
