import { allowHosts, ProblemError, refused, retryAfter } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Caller, Role } from '../caller.ts'
import type { KnownCaller, KnownCallers } from '../keys/known-callers.ts'
import { createShares, type Shares } from '../shares/shares.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The roles whose callers may use the route. A route that is part of the API has to say so. */
    access?: readonly Role[]
  }
  interface FastifyRequest {
    /** Who calls. Undefined where nobody is asked for a key. */
    caller: Caller | undefined
  }
}

export interface GuardOptions {
  /** Names beside those of loopback that a request may be for while no keys are required. */
  readonly allowedHosts?: readonly string[]
}

/**
 * Guards the routes that are added after this: only callers with a role in `config.access` may use them, no more often than
 * their quota allows, and with no more bytes of bodies at a time than their share.
 *
 * Routes that are not part of the API (`schema.hide`: health, metrics, documents) are open to everyone. A route without
 * `config.access` makes the start fail. The API's description is the same whether or not keys are required.
 *
 * @param callers undefined: no keys are required, and only requests for allowed hosts are answered
 */
export function guardRoutes(
  http: FastifyInstance,
  callers: Pick<KnownCallers, 'find'> | undefined,
  { allowedHosts = [] }: GuardOptions = {}
): void {
  if (callers === undefined) allowHosts(http, allowedHosts)
  const limitBodies = limitBodiesInFlight(createShares(bodyBytes))
  http.decorateRequest('caller', undefined)
  http.addHook('onRoute', (route: RouteOptions & { schema?: ApiSchema }) => {
    if (route.schema?.hide === true) return
    const access = route.config?.access
    if (access === undefined) {
      throw new Error(`${route.method} ${route.url} does not say who may call it: give it config.access`)
    }
    // A HEAD route is made of a GET route that has been here before.
    if (route.schema?.security !== undefined) return
    route.schema = describe(route.schema ?? {}, access)
    const checks = callers === undefined ? [limitBodies] : [checkCaller(callers, access), limitBodies]
    route.onRequest = [...checks, ...[route.onRequest ?? []].flat()]
  })
}

interface ApiSchema {
  readonly hide?: boolean
  readonly security?: readonly { readonly [scheme: string]: readonly string[] }[]
  readonly response?: unknown
}

const securityScheme = 'apiKey'

/** For the OpenAPI document that the routes are part of. */
export const securitySchemes = {
  [securityScheme]: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, made by `npm run api-keys -- create`.'
  }
} as const

const quotaHeaders = {
  'ratelimit-policy': { type: 'string', description: 'How many requests in how many seconds: `"caller";q=6000;w=60`.' },
  ratelimit: {
    type: 'string',
    description: 'How many are left, and in how many seconds there is one more: `"caller";r=5999;t=1`.'
  }
}

function describe(schema: ApiSchema, access: readonly Role[]): ApiSchema {
  const challenge = { 'www-authenticate': { type: 'string', description: 'How to say who calls (RFC 6750).' } }
  return {
    ...schema,
    security: [{ [securityScheme]: [] }],
    response: {
      ...(schema.response as object),
      401: refused('There is no API key, or none that is valid. Nothing was done.', challenge),
      403: refused(`The key is one of a caller that may not do this: it takes the role ${access.join(' or ')}.`),
      429: refused('The caller has used up its quota. Nothing was done.', { ...retryAfter, ...quotaHeaders }),
      ...keysUnavailable(schema)
    }
  }
}

/** Only where the route has nothing else to be unavailable for. */
function keysUnavailable({ response }: ApiSchema): object {
  if (response !== undefined && response !== null && 503 in (response as object)) return {}
  return { 503: refused('The API keys cannot be read at the moment.', retryAfter) }
}

/** A body takes about five times its size while it is worked on. Bodies of one packet or a few are not worth counting. */
const bodyBytes = { total: 16 * 1024 * 1024, perCaller: 8 * 1024 * 1024 }
const uncountedBytes = 8_192

/** Limits the bytes of the bodies that are read and worked on at the same time, before any of them is read. */
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
    done(new ProblemError(status, code, `${whose} requests in flight have too many bytes. Send this one again later.`))
  }
}

type OnRequest = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

function checkCaller(callers: Pick<KnownCallers, 'find'>, access: readonly Role[]): OnRequest {
  function admit(caller: KnownCaller | undefined, request: FastifyRequest, reply: FastifyReply): Error | undefined {
    if (caller === undefined) return unauthorized(reply, 'The API key is not valid.', 'Bearer error="invalid_token"')
    const { quota } = caller
    const waitMs = quota.take()
    reply.header('ratelimit-policy', quota.policy).header('ratelimit', quota.state())
    if (waitMs > 0) {
      reply.header('retry-after', Math.ceil(waitMs / 1_000))
      return new ProblemError(
        429,
        'RATE_LIMITED',
        `${caller.name} may make ${quota.requestsPerMinute} requests a minute.`
      )
    }
    if (!access.includes(caller.role)) {
      const detail = `This takes the role ${access.join(' or ')}; ${caller.name} has the role ${caller.role}.`
      return new ProblemError(403, 'ROLE_NOT_ALLOWED', detail)
    }
    request.caller = caller
    return undefined
  }

  return (request, reply, done) => {
    const key = bearerToken(request.headers.authorization)
    if (key === undefined) {
      done(unauthorized(reply, 'Send an API key: `Authorization: Bearer orderly_…`.', 'Bearer'))
      return
    }
    try {
      // Only a key that is not known makes anybody wait.
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

const bearer = /^Bearer +([^ ]+) *$/i

function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : bearer.exec(authorization)?.[1]
}

/**
 * Takes the whole quota of a request that counts as `count` of them, or refuses it. The guard has taken one already, which
 * a refusal does not give back: reading the request was work.
 * @throws ProblemError 429 when they do not fit at the moment, 400 when they are more than the quota
 */
export function reserveQuota(request: FastifyRequest, reply: FastifyReply, count: number): void {
  const caller = request.caller as KnownCaller | undefined
  if (caller === undefined || count <= 1) return
  const { name, quota } = caller
  const limit = `${name} may make ${quota.requestsPerMinute} requests a minute, and this counts as ${count}.`
  const isTaken = quota.take(count - 1) === 0
  reply.header('ratelimit', quota.state())
  if (isTaken) return
  const waitMs = quota.waitFor(count)
  if (waitMs === Number.POSITIVE_INFINITY) {
    throw new ProblemError(400, 'QUOTA_TOO_SMALL', `${limit} Send ${quota.requestsPerMinute} at most.`)
  }
  reply.header('retry-after', Math.ceil(waitMs / 1_000))
  throw new ProblemError(429, 'RATE_LIMITED', `${limit} So many are not left at the moment.`)
}
