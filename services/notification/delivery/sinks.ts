import { ConfigError } from '@orderly/service-kit'
import { consoleSink } from './console.ts'
import type { Sink, SinkContext, SinkDefinition } from './sink.ts'
import { smtpSink } from './smtp.ts'
import { type NetworkSettings, networkProblems } from './webhook/endpoints.ts'
import { webhookSink } from './webhook/webhook.ts'

/** Kinds of sinks by their name in NOTIFICATION_SINKS. A new kind is added here. */
const sinks = {
  console: consoleSink,
  smtp: smtpSink,
  webhook: webhookSink
}

export type SinkName = keyof typeof sinks

export const sinkNames = Object.keys(sinks) as SinkName[]

type Together<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never
type SinkSettings = Together<(typeof sinks)[SinkName]['settings']>

export const sinkSettings = Object.assign({}, ...Object.values(sinks).map(({ settings }) => settings)) as SinkSettings

export interface SinkConfig extends NetworkSettings {
  readonly ORDERLY_PROFILE: string
  readonly NOTIFICATION_SINKS: readonly SinkName[]
}

/**
 * Creates the chosen sinks.
 * @param config contains the settings of all kinds of sinks
 * @throws ConfigError with every problem of every chosen sink, before any sink is created
 */
export function createSinks(config: SinkConfig, context: SinkContext): readonly Sink[] {
  // The cast is safe: `config` contains the settings of every kind of sink, and each definition
  // reads only its own.
  const chosen = config.NOTIFICATION_SINKS.map(name => sinks[name] as unknown as SinkDefinition<Record<never, never>>)
  const isProd = config.ORDERLY_PROFILE === 'prod'
  const problems = chosen.flatMap(sink => sink.problems(config as never, isProd))
  problems.push(...networkProblems(config))
  if (problems.length > 0) throw new ConfigError(problems)
  return chosen.flatMap(sink => sink.create(config as never, context))
}
