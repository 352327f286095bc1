import { createHash } from 'node:crypto'

/** Limit above which a key is replaced by its first bytes and a hash. */
const maxKeyBytes = 1_024
const prefixBytes = 512

/**
 * Returns the key that represents a record's key in dead-letter topics: the key itself, or the
 * prefix of a very long key followed by its SHA-256. Keys are compared as bytes, and only in this
 * form. A null key stays null.
 */
export function boundedKey(key: Buffer | null): Buffer | null {
  if (key === null || key.length <= maxKeyBytes) return key
  return Buffer.concat([key.subarray(0, prefixBytes), createHash('sha256').update(key).digest()])
}

/**
 * Returns a key as text for use in maps. Each byte becomes one character, so different keys never
 * become the same text.
 */
export function keyText(key: Buffer): string {
  return key.toString('latin1')
}
