import { hash, randomBytes } from 'node:crypto'

/**
 * A new API key of the form `orderly_<id>_<secret>`: a prefix for secret scanners, a public id, and
 * 256 random bits. The secret cannot be guessed, so one round of SHA-256 protects it at rest and is
 * fast enough for every request.
 */
export interface NewApiKey {
  /** The whole key, which is shown only once. */
  readonly key: string
  readonly id: string
  readonly hash: Buffer
}

const idLength = 12
const form = /^orderly_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/

export function newApiKey(): NewApiKey {
  const id = randomBytes(idLength / 2).toString('hex')
  const key = `orderly_${id}_${randomBytes(32).toString('base64url')}`
  return { key, id, hash: Buffer.from(hashOf(key), 'hex') }
}

/** Returns true if the text has the form of a key. Other texts are refused without a lookup. */
export function isApiKey(text: string): boolean {
  return form.test(text)
}

/** Returns the hash of a key in hexadecimal. */
export function hashOf(key: string): string {
  return hash('sha256', key)
}
