import type { Ajv, ErrorObject } from 'ajv'
import type { DataValidateFunction } from 'ajv/dist/types/index.js'

/**
 * Checks `multipleOf` for decimal steps (0.01) exactly. ajv divides binary floats, so 0.07 would
 * not be a multiple of 0.01.
 */
function decimalMultipleOf(step: number): (value: number) => boolean {
  const scale = Math.round(1 / step)
  if (step > 1 || String(1 / scale) !== String(step) || !/^10*$/.test(String(scale))) {
    throw new Error(`multipleOf ${step} cannot be checked exactly: use 1, 0.1, 0.01, …`)
  }
  return value => {
    const units = Math.round(value * scale)
    // A double represents every decimal number of up to 15 digits, so only exact multiples survive
    // the round trip.
    return Number.isSafeInteger(units) && units / scale === value
  }
}

/**
 * Implements `x-unique-by`: no two objects of an array have the same value of the named property.
 * Each repetition is an error.
 */
function uniqueBy(property: string): DataValidateFunction {
  const validate: DataValidateFunction = (items: readonly unknown[], context) => {
    const firstIndexes = new Map<unknown, number>()
    const errors: Partial<ErrorObject>[] = []
    for (let index = 0; index < items.length; index++) {
      const value = (items[index] as Record<string, unknown> | null)?.[property]
      if (value === undefined) continue
      const first = firstIndexes.get(value)
      if (first === undefined) firstIndexes.set(value, index)
      else {
        const instancePath = `${context?.instancePath}/${index}/${property}`
        errors.push({
          keyword: 'x-unique-by',
          instancePath,
          params: {},
          message: `must be unique; item ${first} has the same`
        })
      }
    }
    validate.errors = errors
    return errors.length === 0
  }
  return validate
}

function atMostDecimals(count: number): string {
  return count === 0 ? 'no decimals' : `at most ${count} decimal${count === 1 ? '' : 's'}`
}

export interface DecimalsRule {
  /** Name of the property with the amount. */
  readonly of: string
  /** Name of the property with its unit. */
  readonly by: string
  /** Default unit. */
  readonly usualUnit: string
  /** Default number of decimals. */
  readonly usually: number
  /** Number of decimals per unit that differs from the default. */
  readonly but: Readonly<Record<string, number>>
}

/**
 * Implements `x-decimals`: the unit in one property limits the decimals of the number in another.
 */
function decimalsByUnit({ of, by, usualUnit, usually, but }: DecimalsRule): DataValidateFunction {
  const counts = [...Object.values(but), usually]
  const checks = new Map(counts.map(count => [count, decimalMultipleOf(10 ** -count)]))
  const validate: DataValidateFunction = (object: Readonly<Record<string, unknown>>, context) => {
    const { [of]: amount, [by]: unit = usualUnit } = object
    if (typeof amount !== 'number' || typeof unit !== 'string') return true
    const decimals = (Object.hasOwn(but, unit) ? but[unit] : undefined) ?? usually
    if (checks.get(decimals)?.(amount) === true) return true
    const instancePath = `${context?.instancePath}/${of}`
    validate.errors = [
      { keyword: 'x-decimals', instancePath, params: {}, message: `must have ${atMostDecimals(decimals)} in ${unit}` }
    ]
    return false
  }
  return validate
}

/**
 * Implements `x-exactly-one-of`: an object has exactly one of the named properties. One error names
 * all of them.
 */
function exactlyOneOf(properties: readonly string[]): DataValidateFunction {
  const names = properties.map(name => `\`${name}\``).join(', ')
  const validate: DataValidateFunction = (object: Readonly<Record<string, unknown>>, context) => {
    const count = properties.filter(name => Object.hasOwn(object, name)).length
    if (count === 1) return true
    const message = `must have exactly one of ${names} (has ${count === 0 ? 'none' : count})`
    validate.errors = [{ keyword: 'x-exactly-one-of', instancePath: context?.instancePath ?? '', params: {}, message }]
    return false
  }
  return validate
}

export function addSchemaKeywords(ajv: Ajv): void {
  ajv.removeKeyword('multipleOf')
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    compile: decimalMultipleOf,
    error: { message: ({ schema }) => `must have ${atMostDecimals(Math.round(-Math.log10(Number(schema))))}` }
  })
  ajv.addKeyword({ keyword: 'x-unique-by', type: 'array', schemaType: 'string', compile: uniqueBy })
  ajv.addKeyword({ keyword: 'x-exactly-one-of', type: 'object', schemaType: 'array', compile: exactlyOneOf })
  ajv.addKeyword({ keyword: 'x-decimals', type: 'object', schemaType: 'object', compile: decimalsByUnit })
}
