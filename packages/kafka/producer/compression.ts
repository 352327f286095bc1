import { promisify } from 'node:util'
import { gzip, gzipSync, zstdCompress, zstdCompressSync } from 'node:zlib'
import { isDeadLetterTopic } from '../dead-letters/topics.ts'
import { encodedRecords, replaceRecords } from './record-batch.ts'

/**
 * Compression of record batches. Every Kafka client reads gzip; zstd is smaller in less CPU time,
 * and has been read by all clients since Kafka 2.1.
 */
export type Compression = 'none' | 'gzip' | 'zstd'

export const compressions: readonly Compression[] = ['none', 'gzip', 'zstd']

interface Algorithm {
  /** Number in the attributes of a batch. */
  readonly type: number
  /** Compresses in the thread pool, so that the event loop continues meanwhile. */
  compress(bytes: Buffer): Promise<Buffer>
  compressSync(bytes: Buffer): Buffer
}

/** The fastest level: the next ones take twice the time for a few per cent. */
const gzipOptions = { level: 1 }
const gzipInPool = promisify<Buffer, typeof gzipOptions, Buffer>(gzip)
const zstdInPool = promisify<Buffer, Buffer>(zstdCompress)

const algorithms: Readonly<Record<Exclude<Compression, 'none'>, Algorithm>> = {
  gzip: {
    type: 1,
    compress: bytes => gzipInPool(bytes, gzipOptions),
    compressSync: bytes => gzipSync(bytes, gzipOptions)
  },
  zstd: { type: 4, compress: zstdInPool, compressSync: bytes => zstdCompressSync(bytes) }
}

/**
 * Size above which a batch is not compressed. Readers refuse to decompress more than their limit
 * (fetch/read-limits.ts), but the broker would accept the small batch.
 */
const maxPlainBytes = 32 * 1024 * 1024

/**
 * Returns the compression for a topic: the chosen one. Dead letters are compressed in any case,
 * because they are larger than their records and must fit.
 */
export function compressionFor(topic: string, chosen: Compression): Compression {
  return chosen === 'none' && isDeadLetterTopic(topic) ? 'gzip' : chosen
}

/** Returns a batch with compressed records, or the batch itself if it would not become smaller. */
export async function compressBatch(batch: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'none' || batch.length > maxPlainBytes) return batch
  const { type, compress } = algorithms[compression]
  return smaller(batch, replaceRecords(batch, await compress(encodedRecords(batch)), type))
}

/** Does the same on this thread; for single batches in rare cases. */
export function compressBatchSync(batch: Buffer, compression: Compression): Buffer {
  if (compression === 'none' || batch.length > maxPlainBytes) return batch
  const { type, compressSync } = algorithms[compression]
  return smaller(batch, replaceRecords(batch, compressSync(encodedRecords(batch)), type))
}

function smaller(plain: Buffer, compressed: Buffer): Buffer {
  return compressed.length < plain.length ? compressed : plain
}
