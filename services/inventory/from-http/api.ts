import { guardRoutes, type KnownCallers, securitySchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import type { StockKeeping } from '../store/stock-keeping.ts'
import { addStockRoutes } from './stock-routes.ts'

export interface StockApiParts {
  /** Undefined: nobody is asked for a key. */
  readonly callers: Pick<KnownCallers, 'find'> | undefined
  readonly stock: StockKeeping
  readonly allowedHosts?: readonly string[]
}

/** The whole API of the service, with its document. */
export async function addStockApi(
  http: FastifyInstance,
  { callers, stock, ...guardOptions }: StockApiParts
): Promise<void> {
  await addOpenApi(http, {
    title: 'Orderly inventory API',
    description:
      'Keep stock. Problems are answered as RFC 9457 describes (`application/problem+json`), with a stable `code`. `Orderly-Version: 1` asks for this version of the API, which is also what a request without the header gets. Callers send an API key, `Authorization: Bearer orderly_…`; services that run with `API_KEYS=off` ask for none.',
    tags: [{ name: 'stock', description: 'What there is of each SKU, and how it came to be.' }],
    securitySchemes
  })
  guardRoutes(http, callers, guardOptions)
  addStockRoutes(http, stock)
}
