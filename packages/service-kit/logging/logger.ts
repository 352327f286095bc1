import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino'
import pretty from 'pino-pretty'
import { escapeControlsInJSON, escapeControlsWithin } from '../text/escape-controls.ts'
import { traceFields } from '../tracing/trace-context.ts'
import { maskLine } from './mask-secrets.ts'

export type { Logger } from 'pino'

export interface LoggerSettings {
  readonly service: string
  readonly instance: string
  readonly level: string
  /** True for coloured lines instead of JSON. */
  readonly isPretty: boolean
}

/**
 * Creates a logger that writes synchronously, so that the lines before a crash are neither lost nor
 * out of order. Control characters are escaped, because log fields can contain untrusted text.
 */
export function createLogger(
  { service, instance, level, isPretty }: LoggerSettings,
  destination?: DestinationStream
): Logger {
  const escapeLine = isPretty ? escapePretty : escapeControlsInJSON
  const options: LoggerOptions = {
    level,
    base: { service, instance },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }), log: withTraceFields },
    serializers: { error: pino.stdSerializers.err },
    // Connection errors contain the address, with its password, in their message, stack and fields.
    hooks: { streamWrite: line => escapeLine(maskLine(line)) }
  }
  if (!isPretty) return pino(options, destination ?? pino.destination({ sync: true }))
  return pino(
    options,
    pretty({
      colorize: true,
      sync: true,
      ignore: 'service,instance',
      messageFormat: '{service}: {msg}',
      ...(destination && { destination })
    })
  )
}

/** Escapes the texts of a JSON line, because pino-pretty prints them unescaped. */
function escapePretty(line: string): string {
  return `${JSON.stringify(escapeControlsWithin(JSON.parse(line), name => name === 'stack'))}\n`
}

/**
 * Replaces the field `traceparent` with `traceID` and `spanID`, by which logs and traces are
 * joined.
 */
function withTraceFields(fields: Record<string, unknown>): Record<string, unknown> {
  const { traceparent, ...others } = fields
  return typeof traceparent === 'string' ? { ...others, ...traceFields(traceparent) } : fields
}
