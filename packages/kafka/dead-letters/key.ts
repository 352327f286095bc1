import { createHash } from 'node:crypto'

/** Longer keys are represented by their first bytes and a hash. */
const maxKeyBytes = 1_024
const prefixBytes = 512

/**
 * Returns the key that stands for a record's key in dead-letter topics: the key itself, or the beginning of a very long one with its
 * SHA-256 behind it. Keys are compared as bytes, and only in this form. A record with a null key has none.
 */
export function boundedKey(key: Buffer | null): Buffer | null {
  if (key === null || key.length <= maxKeyBytes) return key
  return Buffer.concat([key.subarray(0, prefixBytes), createHash('sha256').update(key).digest()])
}

/** Returns a key as text for use in maps: one character for each byte, so that different keys never become the same text. */
export function keyText(key: Buffer): string {
  return key.toString('latin1')
}
