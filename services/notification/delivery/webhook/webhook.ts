import { createHash } from 'node:crypto'
import { isoTime } from '@orderly/contracts'
import type { Config } from '@orderly/service-kit'
import { Type } from 'typebox'
import type { Notification } from '../../domain/notification.ts'
import type { StoredEndpoint } from '../../store/endpoints.ts'
import { defineSink, type Sink, SinkError, targetGone } from '../sink.ts'
import { type Endpoint, parseEndpoints, parseStored } from './endpoints.ts'
import { createGuardedAgent, type Lookup } from './guarded-agent.ts'
import { createNetworks, type Networks } from './networks.ts'
import { type Answer, post } from './post.ts'
import { retryAfterMs } from './retry-after.ts'
import { sign, webhookIDOf } from './signature.ts'

/**
 * Sink that sends a signed POST per notification to each endpoint, following Standard Webhooks
 * 1.0.0 (docs/reference/standard-webhooks.md).
 */
export const webhookSink = defineSink({
  settings: {
    WEBHOOK_URLS: Type.Optional(
      Type.Array(Type.String(), {
        description: 'the endpoints as name=url, as in shop=https://shop.example/hooks, separated by commas',
        secret: true
      })
    ),
    WEBHOOK_SECRETS: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'the secrets of the endpoints as name=whsec_…, separated by commas; a name may have two during a rotation',
        secret: true
      })
    ),
    WEBHOOK_ALLOWED_NETWORKS: Type.Array(Type.String(), {
      description: 'networks that are not public but allowed for endpoints, as in 10.1.0.0/16',
      default: []
    }),
    WEBHOOK_CALLERS_ALLOWED_NETWORKS: Type.Array(Type.String(), {
      description: 'networks that are not public but allowed for endpoints of callers, as in 10.1.0.0/16',
      default: []
    }),
    WEBHOOK_FORBIDDEN_NETWORKS: Type.Array(Type.String(), {
      description: 'networks that are public but forbidden for endpoints, such as your own: 203.0.114.0/24',
      default: []
    }),
    WEBHOOK_TIMEOUT_MS: Type.Integer({
      description: 'the maximum time until an endpoint answers, in milliseconds',
      minimum: 100,
      maximum: 30_000,
      default: 15_000
    }),
    WEBHOOK_CONCURRENCY: Type.Integer({
      description: 'the maximum number of concurrent requests to one endpoint',
      minimum: 1,
      maximum: 500,
      default: 20
    })
  },

  problems: (config, isProd) => parseEndpoints(config, isProd).problems,

  create(config) {
    const { WEBHOOK_ALLOWED_NETWORKS: allowed, WEBHOOK_FORBIDDEN_NETWORKS: forbidden } = config
    const networks = createNetworks({ allowed, forbidden })
    return parseEndpoints(config, false).endpoints.map(endpoint =>
      createWebhook(endpoint, {
        networks,
        timeoutMs: config.WEBHOOK_TIMEOUT_MS,
        concurrency: config.WEBHOOK_CONCURRENCY
      })
    )
  }
})

type WebhookConfig = Config<(typeof webhookSink)['settings']>

/**
 * Creates the sink of an endpoint in the database. Endpoints of callers may not use
 * WEBHOOK_ALLOWED_NETWORKS. The operator allows those networks for the operator's endpoints only,
 * and a caller must not reach them.
 * @param maxTimeoutMs maximum duration of a delivery
 */
export function createStoredWebhook(
  stored: StoredEndpoint,
  config: WebhookConfig,
  { isProd, maxTimeoutMs }: { readonly isProd: boolean; readonly maxTimeoutMs: number }
): Sink | { readonly problem: string } {
  const ofCaller = stored.caller !== undefined
  const allowed = ofCaller ? config.WEBHOOK_CALLERS_ALLOWED_NETWORKS : config.WEBHOOK_ALLOWED_NETWORKS
  const networks = createNetworks({ allowed, forbidden: config.WEBHOOK_FORBIDDEN_NETWORKS })
  const endpoint = parseStored(stored, { isProd, networks })
  if ('problem' in endpoint) return endpoint
  const timeoutMs = Math.min(config.WEBHOOK_TIMEOUT_MS, maxTimeoutMs)
  return createWebhook(endpoint, { networks, timeoutMs, concurrency: config.WEBHOOK_CONCURRENCY })
}

export interface WebhookOptions {
  readonly networks: Networks
  readonly timeoutMs: number
  readonly concurrency: number
  readonly lookup?: Lookup
}

export function createWebhook({ target, caller, url, keys }: Endpoint, options: WebhookOptions): Sink {
  const { networks, timeoutMs, concurrency, lookup } = options
  const isTLS = url.protocol === 'https:'
  const agent = createGuardedAgent({ isTLS, networks, maxConnections: concurrency, ...(lookup && { lookup }) })
  return {
    target,
    fingerprint: createHash('sha256').update(url.href).digest('hex'),
    concurrency,
    timeoutMs,
    async deliver(notification, { traceparent, signal }) {
      const body = payloadOf(notification, caller === undefined)
      const headers = { ...headersOf(notification, body, keys), traceparent }
      await judge(await post({ agent, url, headers, body, timeoutMs, signal }))
    },
    async close() {
      agent.destroy()
    }
  }
}

function headersOf(notification: Notification, body: string, keys: readonly Buffer[]): Record<string, string> {
  const webhookID = webhookIDOf(notification.id)
  const timestampSeconds = Math.floor(Date.now() / 1000)
  return {
    'content-type': 'application/json',
    'user-agent': 'Orderly-Webhooks/1',
    'webhook-id': webhookID,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': sign(webhookID, timestampSeconds, body, keys)
  }
}

/** Decides by the status. Redirects are not followed: the new address must be configured. */
async function judge(answer: Answer): Promise<void> {
  const { status, headers } = answer
  if (status >= 200 && status < 300) return answer.drop()
  const excerpt = await answer.excerpt()
  if (status === 410) throw new SinkError(targetGone, `answered 410 ${excerpt}`.trimEnd(), { retryable: false })
  const pauseMs = retryAfterMs(headers, Date.now())
  const hint = status >= 300 && status < 400 ? ' (redirects are not followed)' : ''
  throw new SinkError(`HTTP_${status}`, `answered ${status}${hint} ${excerpt}`.trimEnd(), {
    retryable: true,
    ...(pauseMs !== undefined && { retryAfterMs: pauseMs })
  })
}

/**
 * Returns the payload defined by Standard Webhooks 1.0.0, "Payload structure". It is the same for
 * every attempt.
 * @param isForAll true if the endpoint receives notifications of several callers, so that user ids
 * alone are ambiguous
 */
export function payloadOf(notification: Notification, isForAll: boolean): string {
  const { id: _id, kind, decidedAtMs, caller, ...facts } = notification
  const data = { ...facts, ...(isForAll && caller !== undefined && { caller }) }
  return JSON.stringify({ type: kind.replace('-', '.'), timestamp: isoTime(decidedAtMs), data })
}
