import { hash, randomBytes } from 'node:crypto'

/**
 * A key is `orderly_<id>_<secret>`: the word by which scanners find one that leaked, an id to speak of it by, and 256 random bits.
 * With so many bits nothing can be guessed, so that one round of SHA-256 keeps it safe at rest, and is quick for each request.
 */
export interface NewApiKey {
  /** Shown once. */
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

/** Whether it could be a key: what could not is refused without a look at any list. */
export function isApiKey(text: string): boolean {
  return form.test(text)
}

/** Hexadecimal. */
export function hashOf(key: string): string {
  return hash('sha256', key)
}
