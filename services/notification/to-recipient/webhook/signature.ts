import { createHash, createHmac } from 'node:crypto'

/** Standard Webhooks 1.0.0, "Signature scheme": symmetric, `v1`. */

const prefix = 'whsec_'
const fewestBytes = 24
const mostBytes = 64

/** The key in a `whsec_…` secret; undefined when it is none, or one that is too short to be safe. */
export function parseSecret(text: string): Buffer | undefined {
  const encoded = text.startsWith(prefix) ? text.slice(prefix.length) : ''
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined
  const key = Buffer.from(encoded, 'base64')
  return key.length >= fewestBytes && key.length <= mostBytes ? key : undefined
}

/** All signatures in one header: while a secret is changed, the old one and the new one. */
export function sign(webhookID: string, timestampSeconds: number, body: string, keys: readonly Buffer[]): string {
  const content = `${webhookID}.${timestampSeconds}.${body}`
  return keys.map(key => `v1,${createHmac('sha256', key).update(content).digest('base64')}`).join(' ')
}

/** The event's id, where that can stand in a header and holds no full stop; otherwise one computed from it. */
export function webhookIDOf(eventID: string): string {
  if (/^[A-Za-z0-9_-]{1,200}$/.test(eventID)) return eventID
  return `msg_${createHash('sha256').update(eventID).digest('hex')}`
}
