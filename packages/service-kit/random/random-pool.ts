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
  const end = takeDigits(count)
  return digits.slice(end - count, end)
}

/** Writes as many of them in ASCII. */
export function writeRandomDigits(target: Buffer, start: number, count: number): void {
  const first = takeDigits(count) - count
  for (let index = 0; index < count; index++) target[start + index] = digits.charCodeAt(first + index)
}

/** @returns where those taken end */
function takeDigits(count: number): number {
  if (usedDigits + count > digits.length) {
    digits = randomBytes(pool.length).toString('hex')
    usedDigits = 0
  }
  usedDigits += count
  return usedDigits
}
