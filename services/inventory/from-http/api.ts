import { guardRoutes, type KnownCallers } from '@orderly/callers'
import type { FastifyInstance } from 'fastify'
import type { StockKeeping } from '../store/stock-keeping.ts'
import { addOpenApi } from './openapi.ts'
import { addStockRoutes } from './stock-routes.ts'

export interface StockApiParts {
  /** Undefined: nobody is asked for a key. */
  readonly callers: Pick<KnownCallers, 'find'> | undefined
  readonly stock: StockKeeping
}

/** The whole API of the service, with its document. */
export async function addStockApi(http: FastifyInstance, { callers, stock }: StockApiParts): Promise<void> {
  await addOpenApi(http)
  guardRoutes(http, callers)
  addStockRoutes(http, stock)
}
