import { type APIKeyCache, guardRoutes, securitySchemes, tokenSchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import { addBatchRoutes } from './batch-routes.ts'
import { addChangeRoutes, type ChangeRoutesOptions } from './change-routes.ts'
import { addOrderRoutes, type OrderRoutesOptions } from './order-routes.ts'
import { addStatusRoutes, type StatusRoutesOptions } from './status-routes.ts'

export type OrderApiOptions = OrderRoutesOptions &
  StatusRoutesOptions &
  ChangeRoutesOptions & {
    /** Known API keys; undefined if authentication is off. */
    readonly callers: Pick<APIKeyCache, 'find'> | undefined
    readonly allowedHosts?: readonly string[]
  }

const description = `Places orders and returns their status.

- An order with an \`Idempotency-Key\` is placed once. Repeat the request with the same key until the answer is neither \`409\` nor \`503\`.
- Errors are problem details (RFC 9457, \`application/problem+json\`) with a stable \`code\`.
- \`Orderly-Version: 1\` selects this version of the API. Requests without the header get version 1.
- Callers send an API key: \`Authorization: Bearer orderly_…\`. A service with \`API_KEYS=off\`, as in development, requires none.
- With \`ORDER_TOKEN_SECRETS\`, the response to a placed order has an \`Order-Token\`. In place of a key, it lets a web page read this order and its stream until it expires.
- Every operation can respond with \`408\` (the request did not arrive in time) or \`431\` (the headers are too large). The request then has no effect.
- Every answer has an \`X-Request-Id\`. A request can set it.`

/** Registers all routes of the API and its OpenAPI document. */
export async function addOrderApi(http: FastifyInstance, options: OrderApiOptions): Promise<void> {
  await addOpenApi(http, {
    name: 'order',
    title: 'Orderly order API',
    description,
    tags: [{ name: 'orders', description: 'Place orders and read their status.' }],
    securitySchemes: { ...securitySchemes, ...tokenSchemes }
  })
  guardRoutes(http, options.callers, options)
  addStatusRoutes(http, options)
  addChangeRoutes(http, options)
  addOrderRoutes(http, options)
  addBatchRoutes(http, options)
}
