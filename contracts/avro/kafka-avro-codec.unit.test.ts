import assert from 'node:assert/strict'
import { test } from 'node:test'
import { avroCodec } from '@orderly/kafka'
import avro, { type Type } from 'avsc'

/**
 * `avroCodec` of the package kafka, which does not import avsc, with the real types of avsc.
 */
interface Order {
  readonly id: string
  readonly total: number
}

const first = avro.Type.forSchema({ type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }] })
const second = avro.Type.forSchema({
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total', type: 'int', default: 0 }
  ]
})
const other = avro.Type.forSchema({ type: 'record', name: 'Other', fields: [{ name: 'x', type: 'double' }] })

function codecWith(registry: Readonly<Record<number, Type>>, schemaID?: number) {
  const loaded: number[] = []
  const loadType = async (id: number) => {
    loaded.push(id)
    return registry[id]
  }
  return { loaded, codec: avroCodec<Order>({ type: second, loadType, ...(schemaID && { schemaID }) }) }
}

const inWireFormat = (id: number, type: Type, event: unknown) => {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, type.toBuffer(event)])
}

test('values of an older and of the own schema are read as the own type, and each schema is loaded once', async () => {
  const { codec, loaded } = codecWith({ 1: first, 2: second }, 2)
  const written = codec.encode({ id: 'a', total: 7 })
  assert.deepEqual(written, inWireFormat(2, second, { id: 'a', total: 7 }))
  const values = [written, inWireFormat(1, first, { id: 'b' }), inWireFormat(1, first, { id: 'c' })]
  assert.equal(codec.isPrepared(written), false)
  await codec.prepare(values)
  await codec.prepare(values)
  assert.ok(codec.isPrepared(written))
  assert.deepEqual(loaded, [2, 1])
  const read = values.map(value => ({ ...codec.decode(Buffer.concat([Buffer.from('x'), value]), 1) }))
  assert.deepEqual(read, [
    { id: 'a', total: 7 },
    { id: 'b', total: 0 },
    { id: 'c', total: 0 }
  ])
})

test('a value without a schema id, with an unknown or an incompatible schema, or with damaged bytes is unreadable', async () => {
  const { codec } = codecWith({ 2: second, 3: other })
  const valid = inWireFormat(2, second, { id: 'a', total: 7 })
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('{}'), /does not begin with the id of an Avro schema/],
    [inWireFormat(9, second, { id: 'a', total: 7 }), /the registry has no schema with the id 9/],
    [inWireFormat(3, other, { x: 1 }), /incompatible/],
    [valid.subarray(0, -1), /not valid Avro/],
    [Buffer.concat([valid, Buffer.from('x')]), /not valid Avro/]
  ]
  await codec.prepare(cases.map(([value]) => value))
  for (const [value, message] of cases)
    assert.throws(() => codec.decode(value), { name: 'UnreadableError', code: 'UNREADABLE', message })
})

test('a codec without a schema id does not write, and one with it refuses events that do not match', () => {
  assert.throws(() => codecWith({}).codec.encode({ id: 'a', total: 7 }), { code: 'UNWRITABLE', message: /schemaID/ })
  assert.throws(() => codecWith({}, 2).codec.encode({ id: 7 } as never), { code: 'UNWRITABLE' })
})

test('options of the wrong kind are refused with their names', () => {
  const loadType = async () => undefined
  assert.throws(() => avroCodec({ type: {} as never, loadType }), { code: 'INVALID_OPTION', message: /option type/ })
  assert.throws(() => avroCodec({ type: second, loadType: 7 as never }), { message: /option loadType/ })
  assert.throws(() => avroCodec({ type: second, loadType, schemaID: 1.5 }), { message: /option schemaID/ })
})
