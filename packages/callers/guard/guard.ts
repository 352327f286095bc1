import { allowHosts, ProblemError, refused, retryAfter } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Caller, Role } from '../caller.ts'
import type { APIKeyCache, CachedCaller } from '../keys/api-key-cache.ts'
import { createShares, type Shares } from '../shares/shares.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Roles that may use the route. Required for every route of the API. */
    access?: readonly Role[]
    /** True if an order token may replace the key. */
    acceptsTokens?: boolean
  }
  interface FastifyRequest {
    /** The authenticated caller; undefined while API keys are off. */
    caller: Caller | undefined
  }
}

export interface GuardOptions {
  /** Host names that are accepted in addition to loopback names while API keys are off. */
  readonly allowedHosts?: readonly string[]
  /** Checks the tokens that routes with `config.acceptsTokens` accept in place of a key. */
  readonly tokens?: TokenGuard | undefined
}

export interface TokenGuard {
  /** Returns true if a text has the form of a token, so that it cannot be a key. */
  isToken(text: string): boolean
  /** Returns the caller on whose behalf the request reads, or undefined if the token is not valid for it. */
  admit(request: FastifyRequest, token: string): Omit<CachedCaller, 'ended'> | undefined
}

/**
 * Registers authentication, role checks (`config.access`), quotas and a limit on the bytes of
 * bodies in flight for all routes added after this call.
 *
 * Routes outside the API (`schema.hide`: health, metrics, documents) are open to everyone. Adding
 * an API route without `config.access` throws. The OpenAPI document is the same whether or not keys
 * are required.
 *
 * @param callers undefined while API keys are off; then only requests for allowed hosts are
 * accepted
 */
export function guardRoutes(
  http: FastifyInstance,
  callers: Pick<APIKeyCache, 'find'> | undefined,
  { allowedHosts = [], tokens }: GuardOptions = {}
): void {
  if (callers === undefined) allowHosts(http, allowedHosts)
  const limitBodies = limitBodiesInFlight(createShares(bodyBytes))
  http.decorateRequest('caller', undefined)
  http.addHook('onRoute', (route: RouteOptions & { schema?: ApiSchema }) => {
    if (route.schema?.hide === true) return
    const access = route.config?.access
    if (access === undefined) {
      throw new Error(`${route.method} ${route.url} has no access rule: set config.access`)
    }
    // Fastify derives HEAD routes from GET routes that already have the checks.
    if (route.schema?.security !== undefined) return
    const acceptsTokens = route.config?.acceptsTokens === true
    route.schema = describe(route.schema ?? {}, access, acceptsTokens)
    const accepted = acceptsTokens ? tokens : undefined
    const checks = callers === undefined ? [limitBodies] : [checkCaller(callers, access, accepted), limitBodies]
    route.onRequest = [...checks, ...[route.onRequest ?? []].flat()]
  })
}

interface ApiSchema {
  readonly hide?: boolean
  readonly security?: readonly { readonly [scheme: string]: readonly string[] }[]
  readonly response?: unknown
}

const securityScheme = 'apiKey'

/** Security schemes for the OpenAPI document. */
export const securitySchemes = {
  [securityScheme]: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, created with `npm run api-keys -- create`.'
  }
} as const

/** Security schemes of APIs with routes that accept order tokens. */
export const tokenSchemes = {
  orderToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'An order token, from the header `Order-Token` of the response to `POST /orders`.'
  },
  orderTokenInQuery: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'An order token, for `EventSource`, which cannot send headers.'
  }
} as const

const quotaHeaders = {
  'ratelimit-policy': {
    type: 'string',
    description: 'Quota in requests and its window in seconds: `"caller";q=6000;w=60`.'
  },
  ratelimit: {
    type: 'string',
    description: 'Remaining requests, and seconds until one more is available: `"caller";r=5999;t=1`.'
  }
}

function describe(schema: ApiSchema, access: readonly Role[], acceptsTokens: boolean): ApiSchema {
  const challenge = {
    'www-authenticate': { type: 'string', description: 'Challenge with the authentication scheme (RFC 6750).' }
  }
  return {
    ...schema,
    security: [securityScheme, ...(acceptsTokens ? Object.keys(tokenSchemes) : [])].map(scheme => ({ [scheme]: [] })),
    response: {
      ...(schema.response as object),
      401: refused('The API key is missing or invalid. Nothing was done.', challenge),
      403: refused(`The role of the caller may not use this operation; it requires ${access.join(' or ')}.`),
      429: refused('The caller has used up its quota. Nothing was done.', { ...retryAfter, ...quotaHeaders }),
      ...keysUnavailable(schema)
    }
  }
}

/** Documents 503 for routes that do not document it themselves. */
function keysUnavailable({ response }: ApiSchema): object {
  if (response !== undefined && response !== null && 503 in (response as object)) return {}
  return { 503: refused('The API keys are temporarily unavailable.', retryAfter) }
}

/**
 * Limits of body bytes in flight. Processing a body takes about five times its size in memory.
 * Small bodies are not counted.
 */
const bodyBytes = { total: 16 * 1024 * 1024, perCaller: 8 * 1024 * 1024 }
const uncountedBytes = 8_192

/** Returns a hook that limits the bytes of bodies in flight, before a body is read. */
function limitBodiesInFlight(shares: Shares): OnRequest {
  return ({ headers, caller, routeOptions: { bodyLimit } }, reply, done) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = headers
    const bytes = encoding === undefined ? Math.min(Number(length ?? 0), bodyLimit) : bodyLimit
    if (bytes <= uncountedBytes) return done()
    const release = shares.acquire(caller?.name, bytes)
    if (typeof release === 'function') {
      reply.raw.once('close', release)
      return done()
    }
    reply.header('retry-after', 1)
    const [status, code, whose] =
      release === 'caller' ? ([429, 'RATE_LIMITED', 'Your'] as const) : ([503, 'UNAVAILABLE', 'The'] as const)
    done(new ProblemError(status, code, `${whose} requests in flight have too many bytes. Try again later.`))
  }
}

type OnRequest = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

function checkCaller(
  callers: Pick<APIKeyCache, 'find'>,
  access: readonly Role[],
  tokens: TokenGuard | undefined
): OnRequest {
  function admit(
    caller: Omit<CachedCaller, 'ended'> | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
    fault = 'The API key is not valid.'
  ): Error | undefined {
    if (caller === undefined) return unauthorized(reply, fault, 'Bearer error="invalid_token"')
    const { quota } = caller
    const waitMs = quota.take()
    reply.header('ratelimit-policy', quota.policy).header('ratelimit', quota.state())
    if (waitMs > 0) {
      reply.header('retry-after', Math.ceil(waitMs / 1_000))
      return new ProblemError(
        429,
        'RATE_LIMITED',
        `${caller.name} may send ${quota.requestsPerMinute} requests per minute.`
      )
    }
    if (!access.includes(caller.role)) {
      const detail = `This operation requires the role ${access.join(' or ')}; ${caller.name} has the role ${caller.role}.`
      return new ProblemError(403, 'ROLE_NOT_ALLOWED', detail)
    }
    request.caller = caller
    return undefined
  }

  return (request, reply, done) => {
    const { authorization } = request.headers
    const key = bearerToken(authorization) ?? (authorization === undefined ? tokenInQuery(request, tokens) : undefined)
    if (key !== undefined && tokens?.isToken(key)) {
      done(admit(tokens.admit(request, key), request, reply, 'The token is not valid for this order, or has expired.'))
      return
    }
    if (key === undefined) {
      done(unauthorized(reply, 'Send an API key: `Authorization: Bearer orderly_…`.', 'Bearer'))
      return
    }
    try {
      // Known keys are checked synchronously; only unknown keys wait for the database.
      const found = callers.find(key)
      if (!(found instanceof Promise)) done(admit(found, request, reply))
      else found.then(caller => done(admit(caller, request, reply)), done)
    } catch (error) {
      done(error as Error)
    }
  }
}

function unauthorized(reply: FastifyReply, detail: string, challenge: string): ProblemError {
  reply.header('www-authenticate', challenge)
  return new ProblemError(401, 'UNAUTHORIZED', detail)
}

/** Returns the token in the query. Keys are not accepted there, because URLs are often logged. */
function tokenInQuery({ query }: FastifyRequest, tokens: TokenGuard | undefined): string | undefined {
  const { token } = query as { readonly token?: unknown }
  return typeof token === 'string' && tokens?.isToken(token) ? token : undefined
}

const bearer = /^Bearer +([^ ]+) *$/i

function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : bearer.exec(authorization)?.[1]
}

/**
 * Takes the quota of a request that counts as `count` requests, or refuses it. The guard has
 * already taken one, which is not returned after a refusal, because reading the request was work.
 * @throws ProblemError 429 when the quota is used up for now, 400 when `count` exceeds the whole
 * quota
 */
export function reserveQuota(request: FastifyRequest, reply: FastifyReply, count: number): void {
  const caller = request.caller as CachedCaller | undefined
  if (caller === undefined || count <= 1) return
  const { name, quota } = caller
  const limit = `${name} may send ${quota.requestsPerMinute} requests per minute, and this one counts as ${count}.`
  const isTaken = quota.take(count - 1) === 0
  reply.header('ratelimit', quota.state())
  if (isTaken) return
  const waitMs = quota.waitFor(count)
  if (waitMs === Number.POSITIVE_INFINITY) {
    throw new ProblemError(400, 'QUOTA_TOO_SMALL', `${limit} Send at most ${quota.requestsPerMinute}.`)
  }
  reply.header('retry-after', Math.ceil(waitMs / 1_000))
  throw new ProblemError(429, 'RATE_LIMITED', `${limit} The remaining quota is too small.`)
}
