import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Codec } from '../records.ts'
import { bytesCodec, jsonCodec, stringCodec } from './plain-codecs.ts'
import { UnreadableError } from './unreadable-error.ts'

/** Decodes a value that lies between other bytes, as in a fetched batch. */
function decodeInPlace<Event>(codec: Codec<Event>, value: Buffer): Event {
  const bytes = Buffer.concat([Buffer.from([0xff, 1]), value, Buffer.from([0xff])])
  assert.ok(codec.isPrepared(bytes, 2, 2 + value.length))
  return codec.decode(bytes, 2, 2 + value.length)
}

const unreadable = (message: RegExp) => (error: unknown) =>
  error instanceof UnreadableError && error.code === 'UNREADABLE' && !error.retryable && message.test(error.message)

test('text, bytes and JSON are decoded to what was encoded', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(fc.property(text, event => assert.equal(decodeInPlace(stringCodec, stringCodec.encode(event)), event)))
  fc.assert(
    fc.property(fc.uint8Array(), array => {
      const event = Buffer.from(array)
      assert.deepEqual(decodeInPlace(bytesCodec, bytesCodec.encode(event)), event)
    })
  )
  const codec = jsonCodec<unknown>()
  fc.assert(
    fc.property(fc.jsonValue(), event => {
      const written = codec.encode(event)
      assert.deepEqual(decodeInPlace(codec, written), JSON.parse(String(written)))
    })
  )
})

test('bytes are a copy, which later changes of the batch do not affect', () => {
  const batch = Buffer.from('abc')
  const event = bytesCodec.decode(batch, 1, 3)
  batch.fill(0)
  assert.equal(String(event), 'bc')
})

test('a value that is not UTF-8 is unreadable as text and as JSON', () => {
  const value = Buffer.from([0x61, 0xc3, 0x28])
  for (const codec of [stringCodec, jsonCodec()])
    assert.throws(() => decodeInPlace<unknown>(codec, value), unreadable(/not text in UTF-8/))
})

test('a value that is not JSON is unreadable, and the error does not quote it', () => {
  for (const text of ['', '{"card": 4111', 'undefined', '{"a":1} x'])
    assert.throws(() => decodeInPlace(jsonCodec(), Buffer.from(text)), unreadable(/^the value is not JSON \(\d+ char/))
})

test('JSON that the parse option refuses is unreadable, with its reason', () => {
  const codec = jsonCodec<{ total: number }>({
    parse(value) {
      const { total } = value as { total?: unknown }
      if (typeof total !== 'number') throw new TypeError('total must be a number')
      return { total }
    }
  })
  assert.deepEqual(codec.decode(Buffer.from('{"total":7,"more":1}')), { total: 7 })
  assert.throws(() => codec.decode(Buffer.from('{"total":"7"}')), unreadable(/invalid: total must be a number/))
})

test('an event that a codec cannot write is refused with a reason', () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  for (const event of [undefined, () => {}, 1n, circular])
    assert.throws(() => jsonCodec().encode(event), { name: 'KafkaError', code: 'UNWRITABLE', retryable: false })
  assert.throws(() => stringCodec.encode(7 as never), {
    code: 'UNWRITABLE',
    message: /must be a string \(got number\)/
  })
  assert.throws(() => bytesCodec.encode('x' as never), { code: 'UNWRITABLE', message: /must be a Buffer/ })
})
