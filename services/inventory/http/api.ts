import { type APIKeyCache, guardRoutes, securitySchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import type { StockAdmin } from '../store/stock-admin.ts'
import { addStockRoutes } from './stock-routes.ts'

export interface StockApiOptions {
  /** API keys; undefined if authentication is off. */
  readonly callers: Pick<APIKeyCache, 'find'> | undefined
  readonly stock: StockAdmin
  readonly allowedHosts?: readonly string[]
}

/** Adds all routes of the inventory API and its OpenAPI document. */
export async function addStockApi(
  http: FastifyInstance,
  { callers, stock, ...guardOptions }: StockApiOptions
): Promise<void> {
  await addOpenApi(http, {
    name: 'inventory',
    title: 'Orderly inventory API',
    description:
      'Read and change stock. Error responses use `application/problem+json` (RFC 9457) with a stable `code`. `Orderly-Version: 1` selects this version of the API, which is also the default. Callers authenticate with an API key, `Authorization: Bearer orderly_…`, unless the service runs with `API_KEYS=off`.',
    tags: [{ name: 'stock', description: 'The stock of each SKU and its movements.' }],
    securitySchemes
  })
  guardRoutes(http, callers, guardOptions)
  addStockRoutes(http, stock)
}
