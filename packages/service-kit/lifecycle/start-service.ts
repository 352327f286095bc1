import type { Config } from '../config/parse-config.ts'
import { createReadiness } from '../http/readiness.ts'
import { createHttpServer } from '../http/server.ts'
import type { Logger } from '../logging/logger.ts'
import { createMetrics } from '../metrics/registry.ts'
import { startTracing } from '../tracing/start-tracing.ts'
import { createReleasers } from './releasers.ts'
import type { ServiceConfig, ServiceDefinition, ServiceProperties } from './service.ts'

/**
 * A service in this process. States: **starting** (live, not ready) → **started** → **stopping** → **stopped**. Whoever started it
 * stops it, also when the start failed or is in progress: everything that it had opened until then is released in the same way.
 */
export interface Service {
  /** Resolves with the address it listens on when it has started. */
  readonly started: Promise<string>
  /** Rejects with the first thing that failed to be released. Calling it again waits for the same stop. */
  stop(): Promise<void>
  /** What is being released at the moment. */
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
  // Only what every service has; the compiler cannot see through the generic object.
  const settings = config as unknown as ServiceConfig
  const { HTTP_HOST, HTTP_PORT, HTTP_ALLOWED_ORIGINS: allowedOrigins, SHUTDOWN_DEADLINE_MS } = settings
  const metrics = createMetrics(definition.name)
  const readiness = createReadiness({ logger })
  const releasers = createReleasers(logger)
  const stopping = new AbortController()

  async function start(): Promise<string> {
    const spans = await startTracing(settings, { service: definition.name, instance: settings.INSTANCE_ID, logger })
    if (spans !== undefined) releasers.push('traces', () => spans.stop())
    const server = createHttpServer({ logger, metrics, readiness, spans, allowedOrigins })
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
    // Pushed last, so released first: no new requests while the rest goes. Half of the time is left for the rest.
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
