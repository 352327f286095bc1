import { KafkaError } from './errors.ts'

/**
 * Creates the error of an option that has an unusable value.
 * @param expected describes the accepted values: "a positive integer"
 */
export function invalidOption(name: string, expected: string, value: unknown): KafkaError {
  const message = `option ${name} must be ${expected} (got ${describe(value)})`
  return new KafkaError('INVALID_OPTION', message, { retryable: false })
}

/** Checks options that must be positive integers if they are set. @throws KafkaError `INVALID_OPTION` */
export function checkPositiveIntegers(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) > 0))
      throw invalidOption(name, 'a positive integer', value)
  }
}

/** Checks that an option is a function. @throws KafkaError `INVALID_OPTION` */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidOption(name, 'a function', value)
}

const longestShown = 60

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, longestShown))
  if (value === null || ['number', 'boolean', 'bigint', 'undefined'].includes(typeof value)) return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}
