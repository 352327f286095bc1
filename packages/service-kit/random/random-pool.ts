import { randomBytes, randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

// One system call fills the pool for hundreds of ids. A call per id would cost more than the rest
// of creating an id.
const pool = Buffer.alloc(4096)
const uuidBytes = 16
let used = pool.length

/**
 * Returns a UUID version 7 (RFC 9562). Ids of different milliseconds sort by time, so indexes on
 * them grow at one end.
 */
export function newID(): string {
  if (used + uuidBytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += uuidBytes
  return v7({ random: pool.subarray(used - uuidBytes, used) })
}

let digits = ''
let usedDigits = 0

/** Returns `count` random hexadecimal digits. */
export function pooledRandomDigits(count: number): string {
  const end = takeDigits(count)
  return digits.slice(end - count, end)
}

/** Writes `count` random hexadecimal digits in ASCII. */
export function writeRandomDigits(target: Buffer, start: number, count: number): void {
  const first = takeDigits(count) - count
  for (let index = 0; index < count; index++) target[start + index] = digits.charCodeAt(first + index)
}

/** Takes digits from the pool. @returns the index after the last one taken */
function takeDigits(count: number): number {
  if (usedDigits + count > digits.length) {
    digits = randomBytes(pool.length).toString('hex')
    usedDigits = 0
  }
  usedDigits += count
  return usedDigits
}
