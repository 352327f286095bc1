import { KafkaError } from './errors.ts'

/**
 * Creates the error of an option that has an unusable value.
 * @param expected describes the accepted values: "a positive integer"
 */
export function invalidOption(name: string, expected: string, value: unknown): KafkaError {
  return secretOption(name, `${expected} (got ${describe(value)})`)
}

/** Creates the error of an option without showing its value, which may be secret. */
export function secretOption(name: string, expected: string): KafkaError {
  return new KafkaError('INVALID_OPTION', `option ${name} must be ${expected}`, { retryable: false })
}

/** Checks options that must be positive integers if they are set. @throws KafkaError `INVALID_OPTION` */
export function checkPositiveIntegers(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) > 0))
      throw invalidOption(name, 'a positive integer', value)
  }
}

/** Checks that an option, if it is set, has one of these values. @throws KafkaError `INVALID_OPTION` */
export function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value as string)) return
  throw invalidOption(name, allowed.map(one => `'${one}'`).join(' or '), value)
}

/** Checks that an option is text that is not empty. @throws KafkaError `INVALID_OPTION` */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalidOption(name, 'text that is not empty', value)
}

/** Checks that an option is a function. @throws KafkaError `INVALID_OPTION` */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidOption(name, 'a function', value)
}

/** Checks that an option, if it is set, is an AbortSignal. @throws KafkaError `INVALID_OPTION` */
export function checkSignal(name: string, value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) throw invalidOption(name, 'an AbortSignal', value)
}

const longestShown = 60

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, longestShown))
  if (value === null || ['number', 'boolean', 'bigint', 'undefined'].includes(typeof value)) return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}
