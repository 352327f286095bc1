import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'

/**
 * Decompresses the records of a batch, up to a limit. Without one, any producer could send
 * kilobytes that decompress to gigabytes.
 *
 * - gzip and zstd are decompressed piece by piece, up to the piece that exceeds the limit.
 * - The client decompresses snappy and lz4 only as a whole, in WebAssembly memory that never
 *   shrinks again. Their compressed bytes contain the sizes, which are summed before anything is
 *   decompressed.
 *
 * @throws KafkaError `BATCH_TOO_LARGE`, `BATCH_CORRUPT`, `UNSUPPORTED_COMPRESSION_TYPE`
 */
export function decompress(bytes: Buffer, compression: number, maxBytes: number): Buffer {
  const algorithm = algorithms[compression]
  if (algorithm === undefined) {
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', `compression type ${compression} is not supported`, {
      retryable: false
    })
  }
  try {
    return algorithm(bytes, maxBytes)
  } catch (error) {
    if (error instanceof KafkaError) throw error
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes)
    throw new KafkaError('BATCH_CORRUPT', `the batch cannot be decompressed: ${(error as Error).message}`, {
      retryable: false,
      cause: error
    })
  }
}

type Algorithm = (bytes: Buffer, maxBytes: number) => Buffer

const { lz4, snappy } = compressionsAlgorithms

/** Algorithms by their number in the attributes of a batch. */
const algorithms: readonly (Algorithm | undefined)[] = [
  undefined,
  (bytes, maxBytes) => gunzipSync(bytes, { maxOutputLength: maxBytes }),
  (bytes, maxBytes) => snappy.decompressSync(within(bytes, snappySize(bytes), maxBytes)),
  (bytes, maxBytes) => lz4.decompressSync(within(bytes, lz4Size(bytes), maxBytes)),
  (bytes, maxBytes) => zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
]

function within(bytes: Buffer, size: number, maxBytes: number): Buffer {
  if (size > maxBytes) throw tooLarge(maxBytes)
  return bytes
}

function tooLarge(maxBytes: number): KafkaError {
  const message = `the decompressed batch exceeds the limit of ${maxBytes} bytes`
  return new KafkaError('BATCH_TOO_LARGE', message, { retryable: false })
}

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeadBytes = 16

/**
 * Returns the decompressed size of one snappy block, or of the framed blocks that the Java client
 * writes (xerial). Each block begins with its size.
 */
function snappySize(bytes: Buffer): number {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return readSize(bytes, 0)
  let size = 0
  for (let position = xerialHeadBytes; position < bytes.length; ) {
    const length = bytes.readInt32BE(position)
    if (length <= 0) throw new RangeError('a snappy block has no bytes')
    size += readSize(bytes, position + 4)
    position += 4 + length
  }
  return size
}

/** Reads an unsigned varint. */
function readSize(bytes: Buffer, start: number): number {
  let size = 0
  for (let position = start, scale = 1; position < start + 5; position++, scale *= 0x80) {
    const byte = bytes.readUInt8(position)
    size += (byte & 0x7f) * scale
    if (byte < 0x80) return size
  }
  throw new RangeError('the size of a snappy block is not a varint')
}

const lz4Magic = 0x184d2204
const lz4Flags = { contentSize: 1 << 3, blockChecksum: 1 << 4, contentChecksum: 1 << 2, dictionary: 1 << 0 } as const
const storedBlock = 0x80000000

/** Returns the decompressed size of lz4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). */
function lz4Size(bytes: Buffer): number {
  let size = 0
  for (let position = 0; position < bytes.length; ) {
    if (bytes.readUInt32LE(position) !== lz4Magic) throw new RangeError('an lz4 frame has a wrong magic number')
    const flags = bytes.readUInt8(position + 4)
    const has = (flag: keyof typeof lz4Flags, length: number) => ((flags & lz4Flags[flag]) === 0 ? 0 : length)
    position += 7 + has('contentSize', 8) + has('dictionary', 4)
    for (;;) {
      const head = bytes.readUInt32LE(position)
      position += 4
      if (head === 0) break
      const length = head & ~storedBlock
      const end = position + length
      if (end > bytes.length) throw new RangeError('an lz4 block is truncated')
      size += head >= storedBlock ? length : lz4BlockSize(bytes, position, end)
      position = end + has('blockChecksum', 4)
    }
    position += has('contentChecksum', 4)
  }
  return size
}

/**
 * Sums the literals and matches of one block
 * (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md).
 */
function lz4BlockSize(bytes: Buffer, start: number, end: number): number {
  let size = 0
  for (let position = start; position < end; ) {
    const token = bytes[position++] as number
    let literals = token >> 4
    if (literals === 15) {
      let more = 255
      while (more === 255) literals += more = bytes.readUInt8(position++)
    }
    position += literals
    size += literals
    if (position >= end) break // the last sequence has literals only
    position += 2 // the offset of the match
    let match = token & 15
    if (match === 15) {
      let more = 255
      while (more === 255) match += more = bytes.readUInt8(position++)
    }
    size += match + 4
  }
  return size
}
