import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/** Far deeper than anything that is asked for; what is deeper is made to use up memory. */
const maxDepth = 32

/** Bodies in JSON, refused before they are read when they are nested too deeply. */
export function limitNesting(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser('error', 'error')
  http.removeContentTypeParser('application/json')
  http.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (isTooDeep(body)) done(tooDeep())
    else void parse(request, body, done)
  })
}

/** For JSON that is a part of a body. @throws SyntaxError, or ProblemError when it is nested too deeply */
export function parseJSON(text: string): unknown {
  if (isTooDeep(text)) throw tooDeep()
  return JSON.parse(text)
}

function tooDeep(): ProblemError {
  return new ProblemError(400, 'TOO_DEEPLY_NESTED', `The body is nested more than ${maxDepth} levels deep.`)
}

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const openBrace = 0x7b

function isTooDeep(text: string): boolean {
  // Not deeper than it has characters.
  if (text.length <= maxDepth) return false
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) index = endOfString(text, index)
    else if (code === openBracket || code === openBrace) {
      if (++depth > maxDepth) return true
    } else if (code === openBracket + 2 || code === openBrace + 2) depth--
  }
  return false
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end
}

function isEscaped(text: string, position: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(position - 1 - backslashes) === backslash) backslashes++
  return backslashes % 2 === 1
}
