import { type APIKeyCache, guardRoutes, securitySchemes } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import { addRateRoutes, type RateRoutesOptions } from './rate-routes.ts'

export interface RateApiParts extends RateRoutesOptions {
  /** Known API keys; undefined if authentication is off. */
  readonly callers: Pick<APIKeyCache, 'find'> | undefined
  readonly allowedHosts?: readonly string[]
}

/** Registers all routes of the API and its OpenAPI document. */
export async function addRateApi(http: FastifyInstance, { callers, ...parts }: RateApiParts): Promise<void> {
  await addOpenApi(http, {
    name: 'aggregator',
    title: 'Orderly aggregator API',
    description:
      'Returns the number of orders per minute. Errors are problem details (RFC 9457, `application/problem+json`) with a stable `code`. Callers send an API key of the role `operator`, `Authorization: Bearer orderly_…`; a service with `API_KEYS=off` requires none.',
    tags: [{ name: 'rates', description: 'Orders per minute.' }],
    securitySchemes
  })
  guardRoutes(http, callers, parts)
  addRateRoutes(http, parts)
}
