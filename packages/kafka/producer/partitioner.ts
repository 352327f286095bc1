import type { OutputRecord } from '../records.ts'

/** Turn of the next record that has neither a partition nor a key. */
let turn = 0

/** Returns the partition of a record: its own, the one chosen by its key, or the next in turn. */
export function partitionOf(
  { key, partition }: Pick<OutputRecord, 'key' | 'partition'>,
  partitionCount: number
): number {
  return partition ?? (key === null ? turn++ % partitionCount : choosePartition(key, partitionCount))
}

/**
 * Returns the partition that the Java client would choose for a key (murmur2, made positive), so
 * that producers in all languages agree.
 */
export function choosePartition(key: string | Buffer, partitionCount: number): number {
  return (hashOf(key) & 0x7fffffff) % partitionCount
}

/** Buffer for encoding usual keys; allocating one for each key would cost more than its hash. */
const scratch = Buffer.allocUnsafeSlow(512)

function hashOf(key: string | Buffer): number {
  if (typeof key !== 'string') return murmur2(key)
  // A UTF-16 code unit takes at most three bytes.
  return key.length * 3 > scratch.length ? murmur2(Buffer.from(key)) : murmur2(scratch, scratch.write(key))
}

const multiplier = 0x5bd1e995

/** Computes the hash of `org.apache.kafka.common.utils.Utils.murmur2`, in 32-bit arithmetic. */
export function murmur2(data: Buffer, length = data.length): number {
  let hash = 0x9747b28c ^ length
  const whole = length - (length % 4)
  for (let index = 0; index < whole; index += 4) {
    let part = Math.imul(data.readInt32LE(index), multiplier)
    part = Math.imul(part ^ (part >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ part
  }
  if (length > whole) {
    for (let index = length - 1; index >= whole; index--) hash ^= (data[index] as number) << ((index - whole) * 8)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
