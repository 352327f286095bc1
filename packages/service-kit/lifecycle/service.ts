import type { FastifyInstance } from 'fastify'
import type { TObject, TProperties } from 'typebox'
import type { Config } from '../config/parse-config.ts'
import type { serviceSettings } from '../config/settings.ts'
import type { ReadinessCheck, ReadinessGate } from '../http/readiness.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/registry.ts'
import type { Spans } from '../tracing/spans.ts'

export type ServiceProperties = TProperties & typeof serviceSettings
/** Settings that every service has. */
export type ServiceConfig = Config<typeof serviceSettings>

/** Definition of a service: its name, its settings, and the function that opens its resources. */
export interface ServiceDefinition<Properties extends ServiceProperties> {
  readonly name: string
  /** Schema of the settings: `Type.Object({ ...serviceSettings, … })`. */
  readonly config: TObject<Properties>
  /**
   * Opens resources (each with `onStop`) and adds routes and readiness checks. Routes are enabled
   * once it has finished; until then the service is live but not ready.
   */
  start(context: ServiceContext<Config<Properties>>): Promise<void> | void
}

export interface ServiceContext<OwnConfig> {
  readonly config: OwnConfig
  readonly logger: Logger
  readonly metrics: Metrics
  /** Recorder for spans; undefined when traces are not recorded. */
  readonly spans: Spans | undefined
  /** The HTTP server, which already has `/health/live`, `/health/ready` and `/metrics`. */
  readonly http: FastifyInstance
  /** Aborted when the service must stop, even during its start. */
  readonly signal: AbortSignal
  /**
   * Registers the releaser of a resource. Resources are released in reverse order, after the HTTP
   * server.
   */
  onStop(name: string, release: () => unknown): void
  /**
   * Adds a readiness check. The default gate `always` is for dependencies that every request needs.
   */
  ready(name: string, check: ReadinessCheck, gate?: ReadinessGate): void
  /** Stops the service after a fatal error; the process exits with the exit code of the error. */
  fail(error: unknown): void
}
