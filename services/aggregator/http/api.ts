import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type APIKeyCache, guardRoutes, securitySchemes, staffRoles } from '@orderly/callers'
import { addOpenApi } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import {
  toOrderRate,
  type WindowPolicy,
  windowKey,
  windowMs,
  windowStartOf,
  withEmptyWindows
} from '../domain/window.ts'
import type { RateStore } from '../store/rate-store.ts'
import { getRates, usualMinutes } from './schema.ts'

export interface RateRoutesOptions {
  readonly store: Pick<RateStore, 'rates'>
  readonly policy: WindowPolicy
  readonly nowMs: () => number
}

export function addRateRoutes(http: FastifyInstance, { store, policy, nowMs }: RateRoutesOptions): void {
  const route = { schema: getRates, config: { access: staffRoles } as const }
  http.withTypeProvider<TypeBoxTypeProvider>().get('/rates', route, async ({ query }) => {
    const count = Number(query.minutes ?? usualMinutes)
    const newestStartMs = windowStartOf(nowMs())
    const { windows, completeUntilMs } = await store.rates(newestStartMs - (count - 1) * windowMs, newestStartMs)
    return {
      completeUntilMs: completeUntilMs ?? null,
      windows: withEmptyWindows(windows, { newestStartMs, count }, completeUntilMs, policy).map(window => ({
        window: windowKey(window.startMs),
        ...toOrderRate(window)
      }))
    }
  })
}

export interface RateApiOptions extends RateRoutesOptions {
  /** Known API keys; undefined if authentication is off. */
  readonly callers: Pick<APIKeyCache, 'find'> | undefined
  readonly allowedHosts?: readonly string[]
}

/** Registers all routes of the API and its OpenAPI document. */
export async function addRateApi(http: FastifyInstance, { callers, ...options }: RateApiOptions): Promise<void> {
  await addOpenApi(http, {
    name: 'aggregator',
    title: 'Orderly aggregator API',
    description:
      'Returns the number of orders per minute. Errors are problem details (RFC 9457, `application/problem+json`) with a stable `code`. Callers send an API key of the role `viewer`, `support` or `operator`, `Authorization: Bearer orderly_…`; a service with `API_KEYS=off` requires none.',
    tags: [{ name: 'rates', description: 'Orders per minute.' }],
    securitySchemes
  })
  guardRoutes(http, callers, options)
  addRateRoutes(http, options)
}
