import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
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
  const route = { schema: getRates, config: { access: ['operator'] } as const }
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
