import type { FastifyInstance } from 'fastify'

/** Headers that pages may send, in addition to those that browsers always allow. */
const allowedHeaders = [
  'authorization',
  'content-type',
  'idempotency-key',
  'last-event-id',
  'orderly-version',
  'prefer',
  'traceparent',
  'x-request-id'
].join(', ')

/** Headers of responses that pages may read. */
const exposedHeaders = [
  'idempotent-replayed',
  'location',
  'order-token',
  'orderly-version',
  'preference-applied',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'traceparent',
  'x-request-id'
].join(', ')

const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const preflightSeconds = 600

/**
 * Lets pages of these origins call the API (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol),
 * and answers their preflights. Origins are compared as a whole. Cookies and other credentials of
 * the browser are not allowed; pages send a key or a token themselves.
 */
export function shareWithOrigins(http: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return
  const allowed = new Set(origins)
  http.addHook('onRequest', ({ method, headers }, reply, done) => {
    const { origin } = headers
    // Other origins get it as well, so that a cache does not serve one of them the response of another.
    reply.header('vary', 'Origin')
    if (origin === undefined || !allowed.has(origin)) return done()
    reply.header('access-control-allow-origin', origin)
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
      reply.header('access-control-expose-headers', exposedHeaders)
      return done()
    }
    reply
      .header('access-control-allow-methods', allowedMethods)
      .header('access-control-allow-headers', allowedHeaders)
      .header('access-control-max-age', preflightSeconds)
      .code(204)
      .send()
  })
}

/** Returns an error message for the first text that browsers never send as an origin. */
export function faultOfOrigins(origins: readonly string[]): string | undefined {
  const wrong = origins.find(text => !URL.canParse(text) || new URL(text).origin !== text)
  if (wrong === undefined) return undefined
  const fix = URL.canParse(wrong) ? new URL(wrong).origin : 'https://shop.example'
  return `HTTP_ALLOWED_ORIGINS has the origin "${wrong}", which browsers never send: use the form "${fix}"`
}
