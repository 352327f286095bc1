import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino'
import pretty from 'pino-pretty'
import { traceFields } from '../tracing/trace-context.ts'
import { maskLine } from './mask-secrets.ts'

export type { Logger } from 'pino'

export interface LoggerSettings {
  readonly service: string
  readonly instance: string
  readonly level: string
  /** Coloured lines for people instead of JSON for machines. */
  readonly isPretty: boolean
}

/**
 * Lines are written at once, unlike by pino's default: what was logged just before a crash is what one wants to read after
 * it, and lines still under way when the process exits come out of order or not at all.
 */
export function createLogger(
  { service, instance, level, isPretty }: LoggerSettings,
  destination?: DestinationStream
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service, instance },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }), log: withTraceFields },
    serializers: { error: pino.stdSerializers.err },
    // A failed connection has its address in the message, the stack and fields of the error.
    hooks: { streamWrite: maskLine }
  }
  if (!isPretty) return pino(options, destination ?? pino.destination({ sync: true }))
  return pino(
    options,
    pretty({ colorize: true, sync: true, ignore: 'service,instance', messageFormat: '{service}: {msg}' })
  )
}

/** Whoever logs the `traceparent` of what he is at gets a line with the ids by which logs and traces are joined. */
function withTraceFields(fields: Record<string, unknown>): Record<string, unknown> {
  const { traceparent, ...others } = fields
  return typeof traceparent === 'string' ? { ...others, ...traceFields(traceparent) } : fields
}
