import type { FastifyInstance } from 'fastify'
import type { TObject, TProperties } from 'typebox'
import type { Config } from '../config/parse-config.ts'
import type { serviceSettings } from '../config/settings.ts'
import type { ReadinessCheck, ReadinessGate } from '../http/readiness.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/registry.ts'
import type { Spans } from '../tracing/spans.ts'

export type ServiceProperties = TProperties & typeof serviceSettings
/** What every service is told. */
export type ServiceConfig = Config<typeof serviceSettings>

/** What a service is: its name, its settings, and how it opens what it needs. */
export interface ServiceDefinition<Properties extends ServiceProperties> {
  readonly name: string
  /** `Type.Object({ ...serviceSettings, … })` */
  readonly config: TObject<Properties>
  /** Opens resources (each with its `onStop`), adds routes and readiness checks. Routes answer when it is done; until then the service is live. */
  start(context: ServiceContext<Config<Properties>>): Promise<void> | void
}

export interface ServiceContext<OwnConfig> {
  readonly config: OwnConfig
  readonly logger: Logger
  readonly metrics: Metrics
  /** Undefined while nobody records traces. */
  readonly spans: Spans | undefined
  /** With `/health/live`, `/health/ready` and `/metrics`. */
  readonly http: FastifyInstance
  /** Aborted when the service is to stop, also in the middle of its start. */
  readonly signal: AbortSignal
  /** Says how to give back what was just opened. Last opened, first released; the HTTP server before all of them. */
  onStop(name: string, release: () => unknown): void
  /** Adds a readiness check. Only what every request needs may gate `always`, which is the default. */
  ready(name: string, check: ReadinessCheck, gate?: ReadinessGate): void
  /** The service cannot go on: it stops, and the process ends with the exit code of the error. */
  fail(error: unknown): void
}
