import { createLogger, type Logger } from '../logging/logger.ts'

export function silentLogger(): Logger {
  return createLogger({ service: 'test', instance: '1', level: 'silent', isPretty: false })
}

/** A logger as services have it, and the lines that it has written, parsed. */
export function recordLog(): { readonly logger: Logger; readonly lines: readonly Readonly<Record<string, unknown>>[] } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  return { logger: createLogger({ service: 'test', instance: '1', level: 'info', isPretty: false }, { write }), lines }
}
