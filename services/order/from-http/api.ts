import { guardRoutes, type KnownCallers, securitySchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import { addBatchRoutes } from './batch-routes.ts'
import { addOrderRoutes, type OrderRoutesOptions } from './order-routes.ts'
import { addStatusRoutes, type StatusRoutesOptions } from './status-routes.ts'
import { addWishRoutes, type WishRoutesOptions } from './wish-routes.ts'

export interface OrderApiParts extends OrderRoutesOptions, StatusRoutesOptions, WishRoutesOptions {
  /** Undefined: nobody is asked for a key. */
  readonly callers: Pick<KnownCallers, 'find'> | undefined
  readonly allowedHosts?: readonly string[]
}

const description = `Place orders, and ask what became of them.

- An order with an \`Idempotency-Key\` is placed once: repeat the request with the same key until its answer is neither \`409\` nor \`503\`.
- Problems are answered as RFC 9457 describes (\`application/problem+json\`), with a stable \`code\`.
- \`Orderly-Version: 1\` asks for this version of the API, which is also what a request without the header gets.
- Callers send an API key, \`Authorization: Bearer orderly_…\`; services that run with \`API_KEYS=off\`, as on a developer's machine, ask for none.
- A request that does not arrive in time is \`408\`, one with too large headers \`431\`, also where that is not named; neither is done.
- Every answer has an \`X-Request-Id\`: the caller's own, if the request had one.`

/** The whole API of the service, with its document. */
export async function addOrderApi(http: FastifyInstance, parts: OrderApiParts): Promise<void> {
  await addOpenApi(http, {
    title: 'Orderly order API',
    description,
    tags: [{ name: 'orders', description: 'Placing orders, and asking for them.' }],
    securitySchemes
  })
  guardRoutes(http, parts.callers, parts)
  addStatusRoutes(http, parts)
  addWishRoutes(http, parts)
  addOrderRoutes(http, parts)
  addBatchRoutes(http, parts)
}
