import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { FieldError } from './problem.ts'

/** What ajv adds to an error with `verbose`. */
interface ValidationError extends FastifySchemaValidationError {
  readonly parentSchema?: { readonly description?: string }
}

const maxErrors = 50
const maxPointerLength = 200

/** ajv's errors as one line for each offending field, the first one that was found, and not without end. */
export function fieldErrors(errors: readonly FastifySchemaValidationError[]): FieldError[] {
  const byPointer = new Map<string, string>()
  for (const error of errors) {
    const pointer = pointerTo(error)
    if (!byPointer.has(pointer)) byPointer.set(pointer, detailOf(error))
    if (byPointer.size === maxErrors) break
  }
  return Array.from(byPointer, ([pointer, detail]) => ({ pointer, detail }))
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
      return parentSchema?.description === undefined
        ? 'does not have the right form'
        : `must be: ${parentSchema.description}`
    case 'type':
      return `must be of type ${String(params.type)}`
    default:
      return (message ?? 'is wrong').replace('NOT', 'not')
  }
}
