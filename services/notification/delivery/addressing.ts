import { createHash } from 'node:crypto'
import type { RecordOwner } from '@orderly/contracts'

/**
 * Allowed local parts: without quoting and routing (`%`, `!`), so that every mail server reads them
 * the same way.
 */
const localPart = /^[A-Za-z0-9_+=~-]+(\.[A-Za-z0-9_+=~-]+)*$/
const domain = /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

const placeholders = /\{(userID|caller)\}/g

/**
 * Returns the user's e-mail address built from the template. Returns undefined if the result is not
 * an address or has another domain, or if the template needs a caller and the order has none.
 */
export function emailAddressOf({ userID, caller }: RecordOwner, template: string): string | undefined {
  if (caller === undefined && template.includes('{caller}')) return undefined
  const address = template.replace(placeholders, (_, name) => (name === 'userID' ? userID : (caller ?? '')))
  const [local, host, ...more] = address.split('@')
  if (local === undefined || host === undefined || more.length > 0) return undefined
  if (local.length > 64 || host.length > 253 || !localPart.test(local) || !domain.test(host)) return undefined
  return address
}

/**
 * Returns a message id that is the same for the same event and recipient, so that a repeated e-mail
 * can be recognized (RFC 5322, 3.6.4).
 */
export function messageIDOf(eventID: string, recipient: string, senderDomain: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([eventID, recipient]))
    .digest('hex')
  return `<${digest.slice(0, 40)}@${senderDomain}>`
}
