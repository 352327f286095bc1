import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { FieldError } from './problem.ts'

/** An ajv error with the fields that `verbose` adds. */
interface ValidationError extends FastifySchemaValidationError {
  readonly parentSchema?: ParentSchema
}

interface ParentSchema {
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
}

/** Parts of a request by Fastify's name. A context that is missing here is the body. */
const locations: ReadonlyMap<unknown, FieldError['in']> = new Map([
  ['headers', 'header'],
  ['params', 'path'],
  ['querystring', 'query']
])

const maxErrors = 50
/** Maximum number of allowed values that a message lists. */
const maxListedValues = 10
const maxPointerLength = 200

/**
 * Converts ajv's errors to one error per field, the first one found. At most `maxErrors` fields are
 * reported.
 * @param context Fastify's name of the validated part of the request
 */
export function fieldErrors(errors: readonly FastifySchemaValidationError[], context?: string): FieldError[] {
  const location = locations.get(context)
  const byPointer = new Map<string, string>()
  for (const error of errors) {
    const pointer = pointerTo(error)
    // A number may violate both `multipleOf` and `x-decimals`. The latter is reported: it names the
    // decimals of the given currency, while `multipleOf` is the smallest step of any currency.
    if (!byPointer.has(pointer) || error.keyword === 'x-decimals') byPointer.set(pointer, detailOf(error))
    if (byPointer.size === maxErrors) break
  }
  return Array.from(byPointer, ([pointer, detail]) => ({ ...(location && { in: location }), pointer, detail }))
}

function pointerTo({ keyword, instancePath, params }: ValidationError): string {
  const field = keyword === 'required' ? params.missingProperty : params.additionalProperty
  const path =
    typeof field === 'string' ? `${instancePath}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}` : instancePath
  // URI fragment form of RFC 6901, section 6. `encodeURI` throws on lone surrogates, so they are
  // replaced.
  return encodeURI(`#${path.slice(0, maxPointerLength).toWellFormed()}`)
}

function detailOf({ keyword, message, params, parentSchema = {} }: ValidationError): string {
  const limit = Number(params.limit)
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return 'is not a known field'
    case 'type':
      return `must be ${[params.type].flat().map(withArticle).join(' or ')}`
    case 'pattern':
      return described(parentSchema) ?? 'does not have the right form'
    case 'enum': {
      const values = params.allowedValues as readonly unknown[]
      const listed = values.length <= maxListedValues ? `must be one of ${values.join(', ')}` : undefined
      return listed ?? described(parentSchema) ?? 'is none of the allowed values'
    }
    case 'minimum':
    case 'maximum':
      return rangeOf(parentSchema)
    case 'minItems':
    case 'maxItems':
      return `must have ${keyword === 'minItems' ? 'at least' : 'at most'} ${counted(limit, 'item')}`
    case 'minLength':
    case 'maxLength':
      return `must have ${keyword === 'minLength' ? 'at least' : 'at most'} ${counted(limit, 'character')}`
    default:
      return (message ?? 'is wrong').replace('NOT', 'not')
  }
}

const nouns: ReadonlyMap<unknown, string> = new Map([
  ['array', 'an array'],
  ['integer', 'an integer'],
  ['null', 'null'],
  ['object', 'an object']
])

function withArticle(type: unknown): string {
  return nouns.get(type) ?? `a ${String(type)}`
}

/**
 * Describes both limits of a number, because a caller that violates one needs the other as well.
 */
function rangeOf({ minimum, maximum, default: usual }: ParentSchema): string {
  const [from, to] = [minimum, maximum].map(limit => limit?.toLocaleString('en'))
  const range = from === undefined ? `at most ${to}` : to === undefined ? `at least ${from}` : `${from} to ${to}`
  return `must be ${range}${usual === undefined ? '' : `, default ${String(usual)}`}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Returns the description of a schema as the end of a sentence; it begins in lower case. */
function described({ description }: ParentSchema): string | undefined {
  return description === undefined ? undefined : `must be ${description}`
}
