/** The part of pino that this package needs. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
