import { guardRoutes, type KnownCallers, securitySchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import type { StockKeeping } from '../store/stock-keeping.ts'
import { addStockRoutes } from './stock-routes.ts'

export interface StockApiParts {
  /** Undefined: nobody is asked for a key. */
  readonly callers: Pick<KnownCallers, 'find'> | undefined
  readonly stock: StockKeeping
}

/** The whole API of the service, with its document. */
export async function addStockApi(http: FastifyInstance, { callers, stock }: StockApiParts): Promise<void> {
  await addOpenApi(http, {
    title: 'Orderly inventory API',
    description:
      'Keep stock. Problems are told as RFC 9457 describes (`application/problem+json`), with a stable `code`. Callers send an API key, `Authorization: Bearer orderly_…`; services that run with `API_KEYS=off` ask for none.',
    tags: [{ name: 'stock', description: 'What there is of each SKU, and how it came to be.' }],
    securitySchemes
  })
  guardRoutes(http, callers)
  addStockRoutes(http, stock)
}
