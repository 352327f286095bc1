import { createHash, createHmac } from 'node:crypto'

const prefix = 'whsec_'
const fewestBytes = 24
const mostBytes = 64

/**
 * Returns the key of a `whsec_…` secret; undefined if the secret is invalid or too short to be
 * safe.
 */
export function parseSecret(text: string): Buffer | undefined {
  const encoded = text.startsWith(prefix) ? text.slice(prefix.length) : ''
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined
  const key = Buffer.from(encoded, 'base64')
  return key.length >= fewestBytes && key.length <= mostBytes ? key : undefined
}

/**
 * Returns the symmetric `v1` signatures of Standard Webhooks 1.0.0, "Signature scheme": one per
 * key, in one header. During a rotation there are an old and a new key.
 */
export function sign(webhookID: string, timestampSeconds: number, body: string, keys: readonly Buffer[]): string {
  const content = `${webhookID}.${timestampSeconds}.${body}`
  return keys.map(key => `v1,${createHmac('sha256', key).update(content).digest('base64')}`).join(' ')
}

/**
 * Returns the event id if it is valid in a header and contains no full stop; otherwise its hash.
 */
export function webhookIDOf(eventID: string): string {
  if (/^[A-Za-z0-9_-]{1,200}$/.test(eventID)) return eventID
  return `msg_${createHash('sha256').update(eventID).digest('hex')}`
}
