import { createLogger, type Logger } from '../logging/logger.ts'

export function silentLogger(): Logger {
  return createLogger({ service: 'test', instance: '1', level: 'silent', isPretty: false })
}

/** Creates a logger like that of a service, and the list of its parsed lines. */
export function recordLog(): { readonly logger: Logger; readonly lines: readonly Readonly<Record<string, unknown>>[] } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  return { logger: createLogger({ service: 'test', instance: '1', level: 'info', isPretty: false }, { write }), lines }
}
