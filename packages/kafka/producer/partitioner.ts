import type { OutputRecord } from '../records.ts'

/** Position of the next record that has neither a partition nor a key. */
let turn = 0

/** Returns the partition that a record is written to: its own, the one that its key chooses, or the next in turn. */
export function partitionOf(
  { key, partition }: Pick<OutputRecord, 'key' | 'partition'>,
  partitionCount: number
): number {
  return partition ?? (key === null ? turn++ % partitionCount : choosePartition(key, partitionCount))
}

/** The partition the Java client would choose for a key, so that every producer in any language agrees: murmur2, made positive. */
export function choosePartition(key: string | Buffer, partitionCount: number): number {
  return (hashOf(key) & 0x7fffffff) % partitionCount
}

/** Usual keys are encoded here: a buffer for each would cost more than its hash. */
const scratch = Buffer.allocUnsafeSlow(512)

function hashOf(key: string | Buffer): number {
  if (typeof key !== 'string') return murmur2(key)
  // A character takes three bytes at most.
  return key.length * 3 > scratch.length ? murmur2(Buffer.from(key)) : murmur2(scratch, scratch.write(key))
}

const multiplier = 0x5bd1e995

/** As `org.apache.kafka.common.utils.Utils.murmur2`, in 32-bit arithmetic. */
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
