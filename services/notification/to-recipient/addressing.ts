import { createHash } from 'node:crypto'
import type { RecordOwner } from '@orderly/contracts'

/** What may stand before the @: no quoting, no routing (`%`, `!`), nothing that any mail server reads as anything else. */
const localPart = /^[A-Za-z0-9_+=~-]+(\.[A-Za-z0-9_+=~-]+)*$/
const domain = /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

const placeholders = /\{(userID|caller)\}/g

/**
 * Returns the user's e-mail address by the template; undefined where that makes no address, or one of another domain's, or where
 * the template asks for the caller of an order without one.
 */
export function emailAddressOf({ userID, caller }: RecordOwner, template: string): string | undefined {
  if (caller === undefined && template.includes('{caller}')) return undefined
  const address = template.replace(placeholders, (_, name) => (name === 'userID' ? userID : (caller ?? '')))
  const [local, host, ...more] = address.split('@')
  if (local === undefined || host === undefined || more.length > 0) return undefined
  if (local.length > 64 || host.length > 253 || !localPart.test(local) || !domain.test(host)) return undefined
  return address
}

/** The same for the same event and recipient, always, so that a mail that comes twice can be known by it (RFC 5322, 3.6.4). */
export function messageIDOf(eventID: string, recipient: string, senderDomain: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([eventID, recipient]))
    .digest('hex')
  return `<${digest.slice(0, 40)}@${senderDomain}>`
}
