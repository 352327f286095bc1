import type { FastifyInstance } from 'fastify'
import { invalidFields, ProblemError } from './problem.ts'
import { readBody } from './read-body.ts'

/**
 * Limits for JSON bodies, checked before parsing: one pass over the bytes counts levels and values.
 * That bounds the cost of parsing, validation and collected validation errors. Without limits, a
 * body of 4 MB could contain two million values with an error each.
 */

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Maximum number of values in a JSON body of the route. Commas and opening brackets are
     * counted, an upper bound.
     */
    maxValues?: number
  }
}

/** Maximum nesting depth, far above that of any documented body. */
const maxDepth = 32
/**
 * Default limit. An order of 100 lines counts about 310, so slightly larger orders still get a
 * field error.
 */
const usualMaxValues = 2_000

/** Registers a JSON parser that refuses bodies above the limits of their route. */
export function limitJSONBodies(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser('error', 'error')
  http.removeContentTypeParser('application/json')
  http.addContentTypeParser('application/json', (request, payload, done) => {
    readBody(request, payload, (error, body) => {
      const refusal = error ?? excessOf(body, request.routeOptions.config.maxValues)
      if (refusal === undefined) void parse(request, body.toString(), done)
      else done(refusal)
    })
  })
}

/**
 * Parses a part of a JSON body.
 * @throws SyntaxError, or ProblemError when it has too many levels or values
 */
export function parseJSON(bytes: Buffer, maxValues = usualMaxValues): unknown {
  const refusal = excessOf(bytes, maxValues)
  if (refusal !== undefined) throw refusal
  return JSON.parse(bytes.toString())
}

/**
 * Splits a JSON array into the unparsed bytes of its elements, so that limits apply to each element
 * separately. Returns undefined if the text is not an array. Stops after `maxCount` + 1 elements.
 * @throws SyntaxError when the array is not closed, or text follows it
 */
export function elementsOf(bytes: Buffer, maxCount: number): Buffer[] | undefined {
  const elements: Buffer[] = []
  let start = skipSpace(bytes, 0)
  if (bytes[start] !== openBracket) return undefined
  const first = skipSpace(bytes, start + 1)
  if (bytes[first] === closeBracket) return assertEnd(bytes, first + 1, elements)
  start++
  let depth = 1
  for (let index = start; index < bytes.length; index++) {
    const byte = bytes[index]
    if (byte === quote) index = endOfString(bytes, index)
    else if (byte === openBracket || byte === openBrace) depth++
    else if (byte === closeBracket || byte === closeBrace) {
      if (--depth > 0) continue
      if (byte === closeBrace) break
      elements.push(bytes.subarray(start, index))
      return assertEnd(bytes, index + 1, elements)
    } else if (byte === comma && depth === 1) {
      elements.push(bytes.subarray(start, index))
      if (elements.length > maxCount) return elements
      start = index + 1
    }
  }
  throw new SyntaxError('the JSON array is not closed')
}

function assertEnd(bytes: Buffer, index: number, elements: Buffer[]): Buffer[] {
  if (skipSpace(bytes, index) !== bytes.length) throw new SyntaxError('unexpected text after the JSON array')
  return elements
}

function skipSpace(bytes: Buffer, start: number): number {
  let index = start
  while (spaces.has(bytes[index])) index++
  return index
}

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const spaces: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * Returns an error if a JSON text is nested too deeply or has too many values. It works on bytes
 * without decoding: structural characters are ASCII, and multi-byte UTF-8 sequences contain no
 * ASCII.
 */
function excessOf(bytes: Buffer, maxValues = usualMaxValues): ProblemError | undefined {
  // A text cannot have more levels or values than bytes.
  if (bytes.length <= maxDepth) return undefined
  let depth = 0
  let values = 1
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]
    if (byte === quote) index = endOfString(bytes, index)
    else if (byte === openBracket || byte === openBrace) {
      if (++depth > maxDepth) return tooDeep()
      if (++values > maxValues) return tooMany(maxValues)
    } else if (byte === closeBracket || byte === closeBrace) depth--
    else if (byte === comma && ++values > maxValues) return tooMany(maxValues)
  }
  return undefined
}

function tooDeep(): ProblemError {
  return new ProblemError(400, 'TOO_DEEPLY_NESTED', `The body is nested more than ${maxDepth} levels deep.`)
}

function tooMany(maxValues: number): ProblemError {
  const detail = `must have at most ${maxValues.toLocaleString('en')} values, including nested ones`
  return new ProblemError(400, 'INVALID_REQUEST', invalidFields, [{ pointer: '#', detail }])
}

function endOfString(bytes: Buffer, start: number): number {
  let index = start + 1
  while (index < bytes.length && bytes[index] !== quote) index += bytes[index] === backslash ? 2 : 1
  return index
}
