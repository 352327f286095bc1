/** Fields of every webhook's order. Accept further ones, which later versions may add. */
export interface WebhookOrder {
  /** Id of the order, a UUID. */
  readonly orderID: string
  /** Id of the user who placed the order. */
  readonly userID: string
  /** Name of the caller, in webhooks to endpoints that receive the orders of several callers. */
  readonly caller?: string
}

/** Payload of a webhook. `type` is `order.` and the new status of the order. */
export type WebhookEvent =
  | {
      readonly type: 'order.reserved' | 'order.confirmed' | 'order.cancelled' | 'order.expired'
      /** Time of the event (ISO 8601). Sort events of an order by it. */
      readonly timestamp: string
      readonly data: WebhookOrder & {
        /** Empty if the order was cancelled before anything was reserved. */
        readonly items: readonly { readonly sku: string; readonly quantity: number }[]
        /** End of the hold (ISO 8601); missing for orders without a hold. */
        readonly holdUntil?: string
      }
    }
  | {
      readonly type: 'order.failed'
      readonly timestamp: string
      readonly data: WebhookOrder & {
        /** `OUT_OF_STOCK`, `UNKNOWN_SKU`, `HOLD_TOO_LONG`, `HELD_QUANTITY_EXCEEDED`, or one of a later version. */
        readonly reason: string
        readonly shortages: readonly {
          readonly sku: string
          readonly requested: number
          readonly available: number
          readonly reason: string
        }[]
      }
    }

/** Request that a receiver of webhooks got. */
export interface WebhookRequest {
  /** Headers of the request: those of `fetch`, of Node's `http` or of a framework. Names may have any case. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  /** Exact body of the request, before any parser. The signature covers its bytes. */
  readonly body: string | Uint8Array
}

/** Options of `verifyWebhook`. */
export interface VerifyWebhookOptions {
  /** Secrets of the endpoint (`whsec_…`). During a rotation, pass the old and the new one. */
  readonly secrets: string | readonly string[]
  /** Maximum age of a request in seconds, and maximum difference of the clocks. The default is 300. */
  readonly toleranceSeconds?: number
  /** Current time in milliseconds since 1970, for tests. */
  readonly nowMs?: number
}

/** A webhook whose signature and time are valid. */
export interface VerifiedWebhook {
  /** Id of the event, the same for each delivery of it. Drop a webhook whose id was processed before. */
  readonly id: string
  /** Time at which this delivery was sent, in milliseconds since 1970. */
  readonly sentAtMs: number
  /** Payload of the webhook. */
  readonly event: WebhookEvent
}

/** Code of a `WebhookVerificationError`. */
export type WebhookErrorCode = 'HEADER_INVALID' | 'TIMESTAMP_OUT_OF_RANGE' | 'SIGNATURE_INVALID' | 'BODY_INVALID'

/** The error of a request that is not a valid webhook. Answer it with `400`; do not process it. */
export class WebhookVerificationError extends Error {
  /** Reason why the request is not a valid webhook. */
  readonly code: WebhookErrorCode

  constructor(code: WebhookErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'WebhookVerificationError'
    this.code = code
  }
}

const prefix = 'whsec_'
const [fewestBytes, mostBytes] = [24, 64]
/** Maximum number of signatures that are compared. A rotation needs two. */
const mostSignatures = 10

/**
 * Verifies a webhook of the notification service by Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks) and returns its event. Signatures are
 * compared in constant time by Web Crypto, which browsers provide on https pages only.
 * @throws WebhookVerificationError if a header is missing or malformed, the request is older than
 * the tolerance, no signature is of one of the secrets, or the body is not JSON
 * @throws TypeError if a secret is malformed, RangeError if `toleranceSeconds` is negative
 */
export async function verifyWebhook(
  { headers, body }: WebhookRequest,
  { secrets, toleranceSeconds = 300, nowMs = Date.now() }: VerifyWebhookOptions
): Promise<VerifiedWebhook> {
  const keys = (typeof secrets === 'string' ? [secrets] : secrets).map(parseSecret)
  if (keys.length === 0) throw new TypeError('`secrets` must contain at least one secret')
  if (!(toleranceSeconds >= 0)) throw new RangeError(`\`toleranceSeconds\` must be 0 or more (got ${toleranceSeconds})`)
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map(name =>
    readHeader(headers, `webhook-${name}`)
  )
  if (!/^\d{1,12}$/.test(timestamp ?? ''))
    throw invalid('HEADER_INVALID', '`webhook-timestamp` must be seconds since 1970')
  const ageSeconds = nowMs / 1_000 - Number(timestamp)
  if (Math.abs(ageSeconds) > toleranceSeconds) {
    const distance = `${Math.round(Math.abs(ageSeconds))} s in the ${ageSeconds > 0 ? 'past' : 'future'}`
    throw invalid(
      'TIMESTAMP_OUT_OF_RANGE',
      `\`webhook-timestamp\` is ${distance}, and ${toleranceSeconds} s are allowed`
    )
  }
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const head = new TextEncoder().encode(`${id}.${timestamp}.`)
  const content = new Uint8Array(head.length + bytes.length)
  content.set(head)
  content.set(bytes, head.length)
  if (!(await isSigned(content, signatures ?? '', keys)))
    throw invalid('SIGNATURE_INVALID', '`webhook-signature` has no signature of this body by one of the secrets')
  try {
    const event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as WebhookEvent
    return { id: id ?? '', sentAtMs: Number(timestamp) * 1_000, event }
  } catch (cause) {
    throw new WebhookVerificationError('BODY_INVALID', 'the body of the webhook is not JSON', { cause })
  }
}

/** Returns true if one of the `v1` signatures was made with one of the keys. */
async function isSigned(
  content: Uint8Array<ArrayBuffer>,
  header: string,
  keys: readonly Uint8Array<ArrayBuffer>[]
): Promise<boolean> {
  const signatures = header
    .split(' ', mostSignatures)
    .filter(signature => signature.startsWith('v1,'))
    .map(signature => parseBase64(signature.slice(3)))
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  for (const key of keys) {
    const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['verify'])
    for (const signature of signatures)
      if (signature !== undefined && (await crypto.subtle.verify('HMAC', imported, signature, content))) return true
  }
  return false
}

/** @throws WebhookVerificationError if the header is missing or repeated */
function readHeader(headers: WebhookRequest['headers'], name: string): string {
  const values =
    typeof headers.get === 'function'
      ? [(headers as Headers).get(name)]
      : Object.keys(headers)
          .filter(key => key.toLowerCase() === name)
          .flatMap(key => (headers as Readonly<Record<string, string>>)[key])
  const [value] = values
  if (values.length !== 1 || typeof value !== 'string' || value === '')
    throw invalid('HEADER_INVALID', `the header \`${name}\` must be present once`)
  return value
}

function parseSecret(secret: string, index: number): Uint8Array<ArrayBuffer> {
  const key =
    typeof secret === 'string' && secret.startsWith(prefix) ? parseBase64(secret.slice(prefix.length)) : undefined
  if (key !== undefined && key.length >= fewestBytes && key.length <= mostBytes) return key
  // The message does not contain the secret, because messages are logged.
  throw new TypeError(
    `\`secrets[${index}]\` must be \`${prefix}\` and ${fewestBytes} to ${mostBytes} bytes in base64, as \`orderly endpoints add\` printed it`
  )
}

function parseBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), character => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

function invalid(code: WebhookErrorCode, message: string): WebhookVerificationError {
  return new WebhookVerificationError(code, message)
}
