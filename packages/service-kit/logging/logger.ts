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
  /** Coloured lines for people instead of JSON for machines. */
  readonly isPretty: boolean
}

/**
 * Creates a logger that writes each line before it returns, unlike pino's default. The lines before a crash are the ones that
 * are needed, and buffered lines would be lost or out of order. Controls in foreign text are escaped, whatever prints the log.
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
    // A failed connection has its address in the message, the stack and fields of the error.
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

/** Escapes a line before pino-pretty prints the texts in it as they are. */
function escapePretty(line: string): string {
  return `${JSON.stringify(escapeControlsWithin(JSON.parse(line), name => name === 'stack'))}\n`
}

/** Whoever logs the `traceparent` of what he is at gets a line with the ids by which logs and traces are joined. */
function withTraceFields(fields: Record<string, unknown>): Record<string, unknown> {
  const { traceparent, ...others } = fields
  return typeof traceparent === 'string' ? { ...others, ...traceFields(traceparent) } : fields
}
