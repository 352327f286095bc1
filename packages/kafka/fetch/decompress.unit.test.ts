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

/** Frames snappy blocks as the Java client does. */
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

/** Content that is compressible in parts only, like records. */
const anyContent = fc
  .array(fc.tuple(fc.nat(5_000), fc.boolean()), { minLength: 1, maxLength: 20 })
  .map(parts =>
    Buffer.concat(parts.map(([length, isRandom]) => (isRandom ? randomBytes(length) : Buffer.alloc(length, 'order'))))
  )
  .filter(bytes => bytes.length > 0)

test('any compressed content is decompressed if the limit equals its size, and rejected if the limit is smaller', () => {
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

test('kilobytes that would decompress to hundreds of megabytes are rejected without allocating them', () => {
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

test('bytes that cannot be decompressed are reported as corrupt', () => {
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
