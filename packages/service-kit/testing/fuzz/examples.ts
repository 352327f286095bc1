import assert from 'node:assert/strict'
import { type ApiDocument, type LocatedOperation, operationsOf, resolve, type Schema } from './document.ts'

/** Responses to the examples of an operation, one per content type of its body. */
export interface ExampleAnswers {
  readonly operationID: string
  /** HTTP status codes of the responses; empty if a required parameter has no example. */
  readonly statuses: readonly number[]
}

/**
 * Sends each operation of a document with its examples and nothing else, as the API page does when
 * a user changes nothing. Examples of optional parameters are sent as well.
 */
export async function sendExamples(document: ApiDocument, baseURL: string): Promise<ExampleAnswers[]> {
  const answers: ExampleAnswers[] = []
  for (const located of operationsOf(document)) {
    const statuses: number[] = []
    for (const { path, init } of requestsOf(document, located)) {
      const response = await fetch(`${baseURL}${path}`, init)
      await response.text()
      statuses.push(response.status)
    }
    answers.push({ operationID: located.operation.operationId, statuses })
  }
  return answers
}

interface ExampleRequest {
  readonly path: string
  readonly init: RequestInit
}

function requestsOf(document: ApiDocument, { method, path, operation }: LocatedOperation): ExampleRequest[] {
  let filled = path
  const query = new URLSearchParams()
  const headers: Record<string, string> = {}
  for (const { name, in: location, required, schema, ...parameter } of operation.parameters ?? []) {
    const { example = schema.examples?.[0] } = parameter as { readonly example?: unknown }
    if (example === undefined && required === true) return []
    if (example === undefined) continue
    assertPageSends(name, schema, String(example))
    if (location === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(String(example)))
    else if (location === 'query') query.append(name, String(example))
    else headers[name] = String(example)
  }
  const target = query.size === 0 ? filled : `${filled}?${query}`
  const content = Object.entries(operation.requestBody?.content ?? {})
  if (content.length === 0) return [{ path: target, init: { method, headers } }]
  return content.map(([type, { schema, ...media }]) => {
    const { example: value = exampleOf(document, schema) } = media as { readonly example?: unknown }
    const body = typeof value === 'string' ? value : JSON.stringify(value)
    return { path: target, init: { method, headers: { ...headers, 'content-type': type }, body } }
  })
}

/**
 * The API page checks the pattern of a parameter before it sends a request, and without the flag
 * `u`.
 */
function assertPageSends(name: string, { pattern }: Schema, example: string): void {
  const matches = typeof pattern !== 'string' || new RegExp(pattern).test(example)
  assert.ok(matches, `the page refuses the example "${example}" of ${name}`)
}

/**
 * Returns the value that the API page shows for a schema: its example, or one composed of those of
 * its parts.
 */
function exampleOf(document: ApiDocument, given: Schema): unknown {
  const schema = resolve(document, given)
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.enum !== undefined) return schema.default ?? schema.enum[0]
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {})
      return Object.fromEntries(fields.map(([name, field]) => [name, exampleOf(document, field)]))
    }
    case 'array':
      return [exampleOf(document, schema.items as Schema)]
    default:
      throw new Error(`the document needs an example of ${JSON.stringify(schema)}`)
  }
}
