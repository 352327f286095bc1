import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { FieldError } from './problem.ts'

/** An ajv error with the fields that `verbose` adds. */
interface ValidationError extends FastifySchemaValidationError {
  readonly parentSchema?: { readonly description?: string }
}

/** Parts of a request by Fastify's name. A context that is missing here is the body. */
const places: ReadonlyMap<unknown, FieldError['in']> = new Map([
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
  // URI fragment form of RFC 6901, section 6. `encodeURI` throws on lone surrogates, so they are
  // replaced.
  return encodeURI(`#${path.slice(0, maxPointerLength).toWellFormed()}`)
}

function detailOf({ keyword, message, params, parentSchema }: ValidationError): string {
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return 'is not a known field'
    case 'pattern':
      return described(parentSchema) ?? 'does not match the required pattern'
    case 'enum': {
      const values = params.allowedValues as readonly unknown[]
      const listed = values.length <= maxListedValues ? `must be one of ${values.join(', ')}` : undefined
      return listed ?? described(parentSchema) ?? 'is not one of the allowed values'
    }
    case 'type':
      return `must be of type ${String(params.type)}`
    default:
      return (message ?? 'is invalid').replace('NOT', 'not')
  }
}

function described(schema: ValidationError['parentSchema']): string | undefined {
  return schema?.description === undefined ? undefined : `must be: ${schema.description}`
}
