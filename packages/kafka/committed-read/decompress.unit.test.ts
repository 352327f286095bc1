import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { compressionsAlgorithms } from '@platformatic/kafka'
import fc from 'fast-check'
import { decompress } from './decompress.ts'

const types = ['gzip', 'snappy', 'lz4', 'zstd'] as const
type Type = (typeof types)[number]
const compress = (type: Type, bytes: Buffer) => Buffer.from(compressionsAlgorithms[type].compressSync(bytes))
const open = (type: Type, bytes: Buffer, maxBytes: number) =>
  decompress(bytes, compressionsAlgorithms[type].bitmask, maxBytes)

/** The framing that the Java client puts around snappy. */
function xerial(bytes: Buffer, blockBytes: number): Buffer {
  const blocks: Buffer[] = []
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = compress('snappy', bytes.subarray(start, start + blockBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    blocks.push(length, block)
  }
  return Buffer.concat([Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]), ...blocks])
}

/** Compresses well in places and not in others, as records do. */
const anyContent = fc
  .array(fc.tuple(fc.nat(5_000), fc.boolean()), { minLength: 1, maxLength: 20 })
  .map(parts =>
    Buffer.concat(parts.map(([length, isRandom]) => (isRandom ? randomBytes(length) : Buffer.alloc(length, 'order'))))
  )
  .filter(bytes => bytes.length > 0)

test('whatever was compressed is decompressed within a limit of its size, and refused within a smaller one', () => {
  fc.assert(
    fc.property(anyContent, content => {
      const compressed = types.map(type => [type, compress(type, content)] as const)
      for (const [type, bytes] of [...compressed, ['snappy', xerial(content, 1_000)] as const]) {
        assert.deepEqual(open(type, bytes, content.length), content, type)
        if (content.length > 1)
          assert.throws(
            () => open(type, bytes, content.length - 1),
            { code: 'BATCH_TOO_LARGE', retryable: false },
            type
          )
      }
    }),
    { numRuns: 50 }
  )
})

test('a few kilobytes that would become hundreds of megabytes are refused without taking the memory', () => {
  const bomb = Buffer.alloc(100_000_000)
  const compressed = types.map(type => [type, compress(type, bomb)] as const)
  for (const [type, bytes] of compressed) {
    const before = process.memoryUsage()
    assert.throws(() => open(type, bytes, 1_000_000), { code: 'BATCH_TOO_LARGE' }, type)
    const after = process.memoryUsage()
    const taken = after.external + after.heapUsed - before.external - before.heapUsed
    assert.ok(taken < 20_000_000, `${type} took ${taken} bytes`)
  }
})

test('bytes that cannot be decompressed are corrupt, whatever is wrong with them', () => {
  const content = Buffer.from('an order '.repeat(500))
  for (const type of types) {
    const bytes = compress(type, content)
    const damaged = [bytes.subarray(0, bytes.length >> 1), Buffer.alloc(50, 0xff)]
    for (const [index, broken] of damaged.entries())
      assert.throws(
        () => open(type, broken, 1_000_000),
        { code: 'BATCH_CORRUPT', retryable: false },
        `${type} ${index}`
      )
  }
  assert.throws(() => decompress(content, 7, 1_000), { code: 'UNSUPPORTED_COMPRESSION_TYPE', retryable: false })
})
