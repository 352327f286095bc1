import { guardRoutes, type KnownCallers } from '@orderly/callers'
import type { FastifyInstance } from 'fastify'
import { addBatchRoutes } from './batch-routes.ts'
import { addOpenApi } from './openapi.ts'
import { addOrderRoutes, type OrderRoutesOptions } from './order-routes.ts'
import { addStatusRoutes, type StatusRoutesOptions } from './status-routes.ts'
import { addWishRoutes, type WishRoutesOptions } from './wish-routes.ts'

export interface OrderApiParts extends OrderRoutesOptions, StatusRoutesOptions, WishRoutesOptions {
  /** Undefined: nobody is asked for a key. */
  readonly callers: Pick<KnownCallers, 'find'> | undefined
}

/** The whole API of the service, with its document. */
export async function addOrderApi(http: FastifyInstance, parts: OrderApiParts): Promise<void> {
  await addOpenApi(http)
  guardRoutes(http, parts.callers)
  addStatusRoutes(http, parts)
  addWishRoutes(http, parts)
  addOrderRoutes(http, parts)
  addBatchRoutes(http, parts)
}
