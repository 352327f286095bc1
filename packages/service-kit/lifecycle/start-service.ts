import type { Config } from '../config/parse-config.ts'
import { parseApiAddresses } from '../http/api-page.ts'
import { createReadiness } from '../http/readiness.ts'
import { createHttpServer } from '../http/server.ts'
import type { Logger } from '../logging/logger.ts'
import { createMetrics } from '../metrics/registry.ts'
import { startTracing } from '../tracing/start-tracing.ts'
import { createReleasers } from './releasers.ts'
import type { ServiceConfig, ServiceDefinition, ServiceProperties } from './service.ts'

/**
 * A service in this process. States: **starting** (live, not ready) → **started** → **stopping** →
 * **stopped**. The caller of `startService` must call `stop`, even after a failed start or during
 * one: it releases all resources opened until then.
 */
export interface Service {
  /** Resolves with the listen address once the service has started. */
  readonly started: Promise<string>
  /**
   * Releases all resources. Rejects with the first error of a releaser. Repeated calls wait for the
   * same stop.
   */
  stop(): Promise<void>
  /** Name of the resource that is being released. */
  stopping(): string | undefined
}

export interface ServiceEnvironment<Properties extends ServiceProperties> {
  readonly config: Config<Properties>
  readonly logger: Logger
  readonly onFailure: (error: unknown) => void
}

export function startService<Properties extends ServiceProperties>(
  definition: ServiceDefinition<Properties>,
  { config, logger, onFailure }: ServiceEnvironment<Properties>
): Service {
  // The settings that every service has; the compiler cannot infer them from the generic type.
  const settings = config as unknown as ServiceConfig
  const {
    HTTP_HOST,
    HTTP_PORT,
    HTTP_ALLOWED_ORIGINS: allowedOrigins,
    HTTP_API_ADDRESSES,
    SHUTDOWN_DEADLINE_MS
  } = settings
  const metrics = createMetrics(definition.name)
  const readiness = createReadiness({ logger })
  const releasers = createReleasers(logger)
  const stopping = new AbortController()

  async function start(): Promise<string> {
    const spans = await startTracing(settings, { service: definition.name, instance: settings.INSTANCE_ID, logger })
    if (spans !== undefined) releasers.push('traces', () => spans.stop())
    const server = createHttpServer({
      ...{ logger, metrics, readiness, spans, allowedOrigins },
      apiAddresses: parseApiAddresses(HTTP_API_ADDRESSES)
    })
    releasers.push('http listener', () => server.close(0))
    const address = await server.listen(HTTP_HOST, HTTP_PORT)
    logger.info({ address }, 'starting')
    await definition.start({
      config,
      logger,
      metrics,
      spans,
      http: server.fastify,
      signal: stopping.signal,
      onStop: releasers.push,
      ready: readiness.add,
      fail: onFailure
    })
    stopping.signal.throwIfAborted()
    // Pushed last, so released first: no new requests arrive while other resources are released.
    // Half of the deadline is left for those.
    releasers.push('http server', () => server.close(SHUTDOWN_DEADLINE_MS / 2))
    await server.open()
    return address
  }

  return {
    started: Promise.resolve().then(start),
    stop() {
      stopping.abort()
      return releasers.release()
    },
    stopping: releasers.current
  }
}
