import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { type Agent, type Dispatcher, request } from 'undici'
import type { Notification } from '../../domain/notification.ts'
import { type DeliverOptions, defineSink, type Sink, SinkError, targetGone } from '../sink.ts'
import { type Endpoint, parseEndpoints } from './endpoints.ts'
import { createGuardedAgent, type Lookup } from './guarded-agent.ts'
import { createNetworks, type Networks } from './networks.ts'
import { payloadOf } from './payload.ts'
import { retryAfterMs } from './retry-after.ts'
import { sign, webhookIDOf } from './signature.ts'

/** A signed POST to each endpoint for each notification, by Standard Webhooks 1.0.0 (see docs/standard-webhooks.md). */
export const webhookSink = defineSink({
  settings: {
    WEBHOOK_URLS: Type.Optional(
      Type.Array(Type.String(), {
        description: 'the endpoints as name=url, shop=https://shop.example/hooks, separated by commas',
        secret: true
      })
    ),
    WEBHOOK_SECRETS: Type.Optional(
      Type.Array(Type.String(), {
        description:
          "the endpoints' secrets as name=whsec_…, separated by commas, two of a name while one replaces the other",
        secret: true
      })
    ),
    WEBHOOK_ALLOWED_NETWORKS: Type.Array(Type.String(), {
      description: 'networks that are not public and that endpoints may lie in nevertheless, 10.1.0.0/16',
      default: []
    }),
    WEBHOOK_TIMEOUT_MS: Type.Integer({
      description: 'how long an endpoint may take to answer',
      minimum: 100,
      maximum: 30_000,
      default: 15_000
    }),
    WEBHOOK_CONCURRENCY: Type.Integer({
      description: 'how many requests to one endpoint at once at most',
      minimum: 1,
      maximum: 500,
      default: 20
    })
  },

  problems: (config, isProd) => parseEndpoints(config, isProd).problems,

  create(config) {
    const networks = createNetworks(config.WEBHOOK_ALLOWED_NETWORKS)
    return parseEndpoints(config, false).endpoints.map(endpoint =>
      createWebhook(endpoint, {
        networks,
        timeoutMs: config.WEBHOOK_TIMEOUT_MS,
        concurrency: config.WEBHOOK_CONCURRENCY
      })
    )
  }
})

export interface WebhookOptions {
  readonly networks: Networks
  readonly timeoutMs: number
  readonly concurrency: number
  readonly lookup?: Lookup
}

const longestExcerptBytes = 1024
/** Read on to be able to use the connection again; a body that goes on for longer costs the connection. */
const longestBodyBytes = 16 * 1024

export function createWebhook({ name, url, keys }: Endpoint, options: WebhookOptions): Sink {
  const { networks, timeoutMs, concurrency, lookup } = options
  const agent = createGuardedAgent({
    networks,
    connectTimeoutMs: timeoutMs,
    maxConnections: concurrency,
    ...(lookup && { lookup })
  })
  return {
    target: `webhook:${name}`,
    fingerprint: createHash('sha256').update(url.href).digest('hex'),
    concurrency,
    timeoutMs,
    async deliver(notification, deliverOptions) {
      const response = await post(agent, url, keys, timeoutMs, notification, deliverOptions)
      await judge(response)
    },
    // Not `close`: it would wait for a target that answers with a body without end.
    close: () => agent.destroy()
  }
}

async function post(
  dispatcher: Agent,
  url: URL,
  keys: readonly Buffer[],
  timeoutMs: number,
  notification: Notification,
  { traceparent, signal }: DeliverOptions
): Promise<Dispatcher.ResponseData> {
  const body = payloadOf(notification)
  const webhookID = webhookIDOf(notification.id)
  const timestampSeconds = Math.floor(Date.now() / 1000)
  const patience = AbortSignal.timeout(timeoutMs)
  try {
    return await request(url, {
      dispatcher,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Orderly-Webhooks/1',
        'webhook-id': webhookID,
        'webhook-timestamp': String(timestampSeconds),
        'webhook-signature': sign(webhookID, timestampSeconds, body, keys),
        traceparent
      },
      body,
      signal: AbortSignal.any([signal, patience])
    })
  } catch (error) {
    if (error instanceof SinkError) throw error
    if (patience.aborted) throw new SinkError('TIMEOUT', `no answer within ${timeoutMs} ms`, { retryable: true })
    const { code, message } = error as NodeJS.ErrnoException
    throw new SinkError(code ?? 'REQUEST_FAILED', message || 'the request failed', { retryable: true, cause: error })
  }
}

/** The status decides. Redirects are not followed: the endpoint's new address belongs into the settings. */
async function judge({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<void> {
  if (statusCode >= 200 && statusCode < 300) {
    await body.dump({ limit: longestBodyBytes }).catch(() => {})
    return
  }
  const excerpt = await beginningOf(body)
  if (statusCode === 410) throw new SinkError(targetGone, `answered 410 ${excerpt}`, { retryable: false })
  const pauseMs = retryAfterMs(headers['retry-after'], Date.now())
  const hint = statusCode >= 300 && statusCode < 400 ? ' (redirects are not followed)' : ''
  throw new SinkError(`HTTP_${statusCode}`, `answered ${statusCode}${hint} ${excerpt}`.trimEnd(), {
    retryable: true,
    ...(pauseMs !== undefined && { retryAfterMs: pauseMs })
  })
}

async function beginningOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= longestExcerptBytes) break
    }
  } catch {
    // The status is known; what could be read of the rest has to do.
  }
  return Buffer.concat(chunks).subarray(0, longestExcerptBytes).toString('utf8')
}
