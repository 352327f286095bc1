import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { FieldError } from './problem.ts'

/** What ajv adds to an error with `verbose`. */
interface ValidationError extends FastifySchemaValidationError {
  readonly parentSchema?: { readonly description?: string }
}

/** By Fastify's names; what is not here is the body. */
const places: ReadonlyMap<unknown, FieldError['in']> = new Map([
  ['headers', 'header'],
  ['params', 'path'],
  ['querystring', 'query']
])

const maxErrors = 50
/** More values than that are described, not listed. */
const maxListedValues = 10
const maxPointerLength = 200

/**
 * ajv's errors as one line for each offending field, the first one that was found, and not without end.
 * @param context what was validated, as Fastify calls it
 */
export function fieldErrors(errors: readonly FastifySchemaValidationError[], context?: string): FieldError[] {
  const place = places.get(context)
  const byPointer = new Map<string, string>()
  for (const error of errors) {
    const pointer = pointerTo(error)
    if (!byPointer.has(pointer)) byPointer.set(pointer, detailOf(error))
    if (byPointer.size === maxErrors) break
  }
  return Array.from(byPointer, ([pointer, detail]) => ({ ...(place && { in: place }), pointer, detail }))
}

function pointerTo({ keyword, instancePath, params }: ValidationError): string {
  const field = keyword === 'required' ? params.missingProperty : params.additionalProperty
  const path =
    typeof field === 'string' ? `${instancePath}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}` : instancePath
  // RFC 6901, section 6: as a URI fragment; a lone surrogate has no UTF-8 form and cannot be written in one.
  return encodeURI(`#${path.slice(0, maxPointerLength).toWellFormed()}`)
}

function detailOf({ keyword, message, params, parentSchema }: ValidationError): string {
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return 'is not a known field'
    case 'pattern':
      return described(parentSchema) ?? 'does not have the right form'
    case 'enum': {
      const values = params.allowedValues as readonly unknown[]
      const listed = values.length <= maxListedValues ? `must be one of ${values.join(', ')}` : undefined
      return listed ?? described(parentSchema) ?? 'is none of the allowed values'
    }
    case 'type':
      return `must be of type ${String(params.type)}`
    default:
      return (message ?? 'is wrong').replace('NOT', 'not')
  }
}

function described(schema: ValidationError['parentSchema']): string | undefined {
  return schema?.description === undefined ? undefined : `must be: ${schema.description}`
}
