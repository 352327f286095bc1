import { randomBytes, randomFillSync } from 'node:crypto'

// One system call fills the pool for hundreds of ids; asked for one at a time, random bytes cost more than the rest of an id.
const pool = Buffer.alloc(4096)
let used = pool.length

/** Random bytes, good for ids. A view that holds them until later calls: read it at once, do not keep it. */
export function pooledRandomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += count
  return pool.subarray(used - count, used)
}

let digits = ''
let usedDigits = 0

/** As many random hexadecimal digits. */
export function pooledRandomDigits(count: number): string {
  if (usedDigits + count > digits.length) {
    digits = randomBytes(pool.length).toString('hex')
    usedDigits = 0
  }
  usedDigits += count
  return digits.slice(usedDigits - count, usedDigits)
}
