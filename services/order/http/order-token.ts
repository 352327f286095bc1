import { createHmac, timingSafeEqual } from 'node:crypto'
import { createQuota, type Quota, type TokenGuard } from '@orderly/callers'

/**
 * Tokens that let a customer's browser read one order, and nothing else.
 *
 * A token is `ot1.<expiry>.<caller>.<signature>`: the time in seconds, the name of the caller that
 * placed the order in base64url, and an HMAC-SHA256 over both and the order id. The order id is not
 * part of the token; it comes from the URL. The service stores nothing, so any instance with the
 * same secret accepts a token.
 */
export interface OrderTokens extends TokenGuard {
  issue(orderID: string, caller: string | undefined): string
}

export interface OrderTokenOptions {
  /** The first secret signs. All are accepted, so that a secret can be rotated. */
  readonly secrets: readonly string[]
  readonly lifetimeMs: number
  readonly nowMs: () => number
}

const prefix = 'ot1.'
export const maxTokenLength = 200
/** Requests for one order by its tokens. A customer cannot use up the quota of the shop. */
const requestsPerMinute = 60
const maxQuotas = 10_000

export function createOrderTokens({ secrets, lifetimeMs, nowMs }: OrderTokenOptions): OrderTokens {
  const quotas = new Map<string, Quota>()

  function quotaOf(orderID: string): Quota {
    const known = quotas.get(orderID)
    if (known !== undefined) return known
    const quota = createQuota(requestsPerMinute)
    const [oldest] = quotas.keys()
    if (oldest !== undefined && quotas.size >= maxQuotas) quotas.delete(oldest)
    quotas.set(orderID, quota)
    return quota
  }

  return {
    issue(orderID, caller = '') {
      const [secret = ''] = secrets
      const claims = `${Math.ceil((nowMs() + lifetimeMs) / 1_000)}.${Buffer.from(caller).toString('base64url')}`
      return `${prefix}${claims}.${sign(secret, orderID, claims).toString('base64url')}`
    },
    isToken: text => text.startsWith(prefix),
    admit({ params }, token) {
      const { orderID } = params as { readonly orderID: string }
      const found = token.length > maxTokenLength ? null : form.exec(token)
      const [, claims = '', expiry = '', caller = '', signature = ''] = found ?? []
      const given = Buffer.from(signature, 'base64url')
      // Checks all secrets, so that the time does not depend on which one matches.
      const matches = secrets.filter(secret => isEqual(sign(secret, orderID, claims), given))
      const expiresAtMs = Number(expiry) * 1_000
      if (found === null || matches.length === 0 || expiresAtMs <= nowMs()) return undefined
      const name = Buffer.from(caller, 'base64url').toString()
      return { name, role: 'shop', quota: quotaOf(orderID), tokenOf: orderID, expiresAtMs }
    }
  }
}

const form = /^ot1\.((\d{1,12})\.([A-Za-z0-9_-]{0,86}))\.([A-Za-z0-9_-]{43})$/

function sign(secret: string, orderID: string, claims: string): Buffer {
  // No claim contains a line break, and the purpose separates this use of the secret from others.
  return createHmac('sha256', secret).update(`orderly order token 1\n${claims}\n${orderID}`).digest()
}

function isEqual(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given)
}
