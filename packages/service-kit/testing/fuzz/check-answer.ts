import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { addSchemaKeywords } from '../../http/schema-keywords.ts'
import type { ApiDocument, DocumentedAnswer, Operation, Schema } from './document.ts'
import type { FuzzRequest } from './requests.ts'

export interface FuzzAnswer {
  readonly status: number
  readonly headers: Headers
  /** The body, or the fields of the first event of a stream as JSON. */
  readonly body: string
}

const formats = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  'uri-reference': /^[^\s<>"]*$/
}

export type AnswerCheck = (operation: Operation, request: FuzzRequest, answer: FuzzAnswer) => void

/**
 * Creates a check that a response is documented, including every field of its body, and that
 * requests which violate the document are refused.
 */
export function createAnswerCheck(document: ApiDocument): AnswerCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats })
  addSchemaKeywords(ajv)
  // ajv ignores `contentSchema`; this implementation validates the JSON in the text.
  ajv.removeKeyword('contentSchema')
  ajv.addKeyword({
    keyword: 'contentSchema',
    type: 'string',
    compile(schema: Schema) {
      const isValid = ajv.compile(closed(schema) as object)
      return (text: string) => isValid(parse(text))
    }
  })
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(closed(schema) as object, `#/components/schemas/${name}`)
  }
  const compiled = new Map<Schema, ValidateFunction>()
  const validatorOf = (schema: Schema) => {
    const known = compiled.get(schema) ?? ajv.compile(closed(schema) as object)
    compiled.set(schema, known)
    return known
  }

  /**
   * Returns true if the document forbids the body. Lists and NDJSON are exempt: each element gets
   * its own result.
   */
  function isForbidden({ requestBody }: Operation, request: FuzzRequest): boolean {
    if (requestBody === undefined) return false
    const type = request.headers['content-type'] ?? ''
    const schema = requestBody.content[type]?.schema
    if (schema === undefined) return true
    const body = parse(request.body ?? '')
    return !type.endsWith('ndjson') && !Array.isArray(body) && !validatorOf(schema)(body)
  }

  return (operation, request, { status, headers, body }) => {
    assert.ok(status >= 300 || !isForbidden(operation, request), `${status} to what the document forbids`)
    assert.ok(status < 500, `${status}: ${body}`)
    const documented: DocumentedAnswer | undefined = operation.responses[status]
    assert.ok(documented !== undefined, `${status} is not documented: ${body}`)
    assert.match(headers.get('x-request-id') ?? '', /./)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    const { content } = documented
    if (content === undefined) {
      assert.equal(body, '', `${status} has no body`)
      return
    }
    const type = headers.get('content-type')?.split(';')[0] ?? ''
    assert.ok(type in content, `${status} is answered as ${type}, documented as ${Object.keys(content)}`)
    const isValid = validatorOf(content[type]?.schema as Schema)
    assert.ok(isValid(JSON.parse(body)), `${status} is not as documented: ${ajv.errorsText(isValid.errors)}\n${body}`)
  }
}

/** Returns undefined for invalid JSON; no schema allows undefined. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Adds `additionalProperties: false` to all object schemas, so that undocumented fields fail the
 * check.
 */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema && !('additionalProperties' in schema)
    ? { ...inside, additionalProperties: false }
    : inside
}
