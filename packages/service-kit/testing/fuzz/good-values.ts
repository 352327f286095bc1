import fc, { type Arbitrary } from 'fast-check'
import { type ApiDocument, resolve, type Schema } from './document.ts'

type Keywords = Schema & {
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly multipleOf?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly 'x-unique-by'?: string
  readonly 'x-exactly-one-of'?: readonly string[]
}

const longestText = 300
const mostItems = 5

/**
 * Generates values that the schema allows.
 * @throws Error for an unsupported schema, so that none is skipped silently
 */
export function goodValues(document: ApiDocument, given: Schema): Arbitrary<unknown> {
  const schema = resolve(document, given) as Keywords
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'string':
      return texts(schema)
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -(2 ** 31), max: Math.min(schema.maximum ?? 2 ** 31, 2 ** 31 - 1) })
    case 'number':
      return numbers(schema)
    case 'array':
      return lists(document, schema)
    case 'object':
      return objects(document, schema)
    default:
      throw new Error(`cannot generate values for the schema ${JSON.stringify(schema)}`)
  }
}

function texts({ pattern, minLength = 0, maxLength = longestText, examples = [] }: Keywords): Arbitrary<string> {
  const isAllowed = (text: string) =>
    (pattern === undefined || new RegExp(pattern, 'u').test(text)) &&
    [...text].length >= minLength &&
    [...text].length <= maxLength
  const lengths = { minLength, maxLength: Math.min(maxLength, longestText) }
  const any = [fc.string(lengths), fc.string({ ...lengths, unit: 'grapheme' }), ...examples.map(fc.constant)]
  const byPattern = pattern === undefined ? undefined : matching(pattern)
  return (byPattern ?? fc.oneof(...(any as Arbitrary<string>[]))).filter(isAllowed)
}

/**
 * Returns undefined for patterns with lookaround assertions, from which fast-check cannot generate
 * texts.
 */
function matching(pattern: string): Arbitrary<string> | undefined {
  try {
    return fc.stringMatching(new RegExp(pattern))
  } catch {
    return undefined
  }
}

/**
 * Generates numbers, half of them integers, because other fields (a currency) can forbid decimals.
 */
function numbers({ minimum = -1e9, maximum = 1e9, multipleOf = 1 }: Keywords): Arbitrary<number> {
  const scale = Math.round(1 / multipleOf)
  const units = { min: Math.ceil(minimum * scale), max: Math.floor(maximum * scale) }
  const stepwise = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: 0, max: 100_000 })).map(unit => {
    const range = units.max - units.min + 1
    return (units.min + (Math.abs(unit) % range)) / scale
  })
  return fc.oneof(stepwise, fc.integer({ min: Math.ceil(minimum), max: Math.min(Math.floor(maximum), 2 ** 31 - 1) }))
}

function lists(document: ApiDocument, schema: Keywords): Arbitrary<unknown[]> {
  const { items, minItems = 0, maxItems = mostItems, 'x-unique-by': key } = schema
  if (items === undefined) throw new Error(`the array schema has no items: ${JSON.stringify(schema)}`)
  const lengths = { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, mostItems)) }
  const values = goodValues(document, items)
  if (key === undefined) return fc.array(values, lengths)
  return fc.uniqueArray(values, { ...lengths, selector: value => (value as Record<string, unknown>)[key] })
}

function objects(document: ApiDocument, schema: Keywords): Arbitrary<object> {
  const { 'x-exactly-one-of': choices, ...others } = schema
  if (choices !== undefined) return fc.oneof(...choices.map(choice => objectsWith(document, others, choice, choices)))
  const { properties = {}, required = [] } = schema
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, goodValues(document, schema)])
  )
  return fc.record(fields, { requiredKeys: [...required], noNullPrototype: true } as object)
}

/** Generates objects with exactly one of the mutually exclusive properties. */
function objectsWith(
  document: ApiDocument,
  schema: Keywords,
  choice: string,
  choices: readonly string[]
): Arbitrary<object> {
  const { properties = {}, required = [] } = schema
  const allowed = Object.entries(properties).filter(([name]) => name === choice || !choices.includes(name))
  return objects(document, { ...schema, properties: Object.fromEntries(allowed), required: [...required, choice] })
}
