import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseSchema } from '@orderly/postgres'
import { isLoopback, type Logger, type Metrics } from '@orderly/service-kit'
import type { Pool } from 'pg'
import { Gauge } from 'prom-client'
import type { Static, TObject } from 'typebox'
import { type APIKeyCache, createAPIKeyCache } from './keys/api-key-cache.ts'
import { createApiKeyStore } from './keys/key-store.ts'
import { callersSchema } from './keys/schema.ts'
import type { callerSettings } from './settings.ts'

export interface OpenCallersContext {
  readonly config: Readonly<Static<TObject<typeof callerSettings>>> & { readonly HTTP_HOST: string }
  readonly pool: Pool
  readonly logger: Logger
  readonly metrics: Metrics
  readonly signal: AbortSignal
  onStop(name: string, release: () => unknown): void
  ready(name: string, check: () => boolean): void
}

const patienceMs = 2_000

/**
 * Returns the database schemas that a service needs for its callers: none while API keys are off.
 */
export function callerSchemas({ API_KEYS }: Pick<OpenCallersContext['config'], 'API_KEYS'>): readonly DatabaseSchema[] {
  return API_KEYS === 'off' ? [] : [callersSchema]
}

/**
 * Opens the API key cache of a service, for `guardRoutes`. If API keys are off, it logs a warning
 * and returns undefined. Resolves when the keys have been read, or after 2 s; without keys the
 * service is not ready.
 */
export async function openCallers(context: OpenCallersContext): Promise<APIKeyCache | undefined> {
  const { config, pool, logger, metrics, signal, onStop, ready } = context
  if (config.API_KEYS === 'off') {
    const [host, event] = [config.HTTP_HOST, 'api_keys_off']
    if (isLoopback(host)) logger.warn({ event, host }, 'API_KEYS is off: every program on this machine has full access')
    else logger.error({ event, host }, 'API_KEYS is off: every program that can reach this port has full access')
    return undefined
  }
  const callers = createAPIKeyCache(createApiKeyStore(pool), {
    refreshMs: config.API_KEYS_REFRESH_MS,
    trustMs: config.API_KEYS_MAX_STALENESS_MINUTES * 60_000,
    requestsPerMinute: config.API_REQUESTS_PER_MINUTE,
    logger
  })
  onStop('callers', () => callers.stop())
  ready('API keys', () => callers.isReady())
  new Gauge({
    name: 'orderly_api_keys_age_seconds',
    help: 'Time since the API keys were last read.',
    registers: [metrics],
    collect() {
      this.set(callers.ageMs() / 1_000)
    }
  })
  await Promise.race([callers.loaded, delay(patienceMs, undefined, { signal, ref: false })])
  return callers
}
