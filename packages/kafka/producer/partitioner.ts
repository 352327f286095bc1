import type { OutputRecord } from '../records.ts'

/** Where a record is written. */
export function partitionOf(
  { key, partition }: Pick<OutputRecord, 'key' | 'partition'>,
  partitionCount: number
): number {
  return partition ?? choosePartition(key, partitionCount)
}

/** The partition the Java client would choose for a key, so that every producer in any language agrees: murmur2, made positive. */
export function choosePartition(key: string | Buffer, partitionCount: number): number {
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % partitionCount
}

const multiplier = 0x5bd1e995

/** As `org.apache.kafka.common.utils.Utils.murmur2`, in 32-bit arithmetic. */
export function murmur2(data: Buffer): number {
  let hash = 0x9747b28c ^ data.length
  const whole = data.length - (data.length % 4)
  for (let index = 0; index < whole; index += 4) {
    let part = Math.imul(data.readInt32LE(index), multiplier)
    part = Math.imul(part ^ (part >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ part
  }
  if (data.length > whole) {
    for (let index = data.length - 1; index >= whole; index--) hash ^= (data[index] as number) << ((index - whole) * 8)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
