import { ProblemError, refused, retryAfter } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Caller, Role } from '../caller.ts'
import type { KnownCaller, KnownCallers } from '../keys/known-callers.ts'

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

/**
 * Lets nobody at the routes that are added after this but those whom `config.access` names, and no more often than their quota allows.
 * Routes that are no part of the API (`schema.hide`: health, metrics, documents) are for everybody; any other that does not say whom it
 * is for makes the start fail. The API's description is the same whether or not callers are asked for their keys.
 *
 * @param callers undefined: nobody is asked for a key
 */
export function guardRoutes(http: FastifyInstance, callers: Pick<KnownCallers, 'find'> | undefined): void {
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
    if (callers !== undefined) route.onRequest = [checkCaller(callers, access), ...[route.onRequest ?? []].flat()]
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
    description: 'An API key, made by `npm run api-keys -w @orderly/order -- create`.'
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

/** For a request that turned out to be several: its caller's quota is charged with the others, too. */
export function chargeFor(request: FastifyRequest, reply: FastifyReply, count: number): void {
  const quota = (request.caller as KnownCaller | undefined)?.quota
  if (quota === undefined || count <= 0) return
  quota.spend(count)
  reply.header('ratelimit', quota.state())
}
