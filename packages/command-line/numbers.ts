import { UsageError } from './usage-error.ts'

/** Parses a whole number. @throws UsageError unless it is from `minimum` to `maximum` */
export function parseNumber(
  text: string | undefined,
  option: string,
  { minimum, maximum, otherwise }: { minimum: number; maximum: number; otherwise: number }
): number {
  if (text === undefined) return otherwise
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= minimum && value <= maximum) return value
  throw new UsageError(`--${option} is "${text}": give a whole number from ${minimum} to ${maximum}.`)
}

export function plural(count: number, singular: string, several = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : several}`
}
