import type { FastifyRequest } from 'fastify'
import { invalidFields, ProblemError } from './problem.ts'

/**
 * The forms of an `Idempotency-Key`: a string of structured fields (RFC 9651), as draft-ietf-httpapi-idempotency-key-header
 * has it, or the same without quotes. `"abc"` and `abc` are one key. Without quotes there may be neither `"` nor a comma,
 * by which a proxy joins two headers.
 */
const bare = '[!#-+\\-.-~](?:[ !#-+\\-.-~]{0,253}[!#-+\\-.-~])?'
const quoted = '"(?:[ !#-[\\]-~]|\\\\["\\\\]){1,255}"'

export const idempotencyKeyPattern = `^(?:${bare}|${quoted})$`
export const idempotencyKeyForm =
  'one key of 1 to 255 printable ASCII characters, `abc` or `"abc"`; in quotes it may hold commas, and `"` and `\\` behind a backslash'

/**
 * Reads the `Idempotency-Key` of a request whose headers were validated. Undefined when there is none.
 * @throws ProblemError 400 when there are two
 */
export function idempotencyKeyOf({ headers, raw: { rawHeaders } }: FastifyRequest): string | undefined {
  const { 'idempotency-key': given } = headers
  if (typeof given !== 'string') return undefined
  const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'idempotency-key').length
  if (count > 1) {
    throw new ProblemError(400, 'INVALID_REQUEST', invalidFields, [
      { in: 'header', pointer: '#/idempotency-key', detail: `must be sent once (got ${count})` }
    ])
  }
  return given.startsWith('"') ? given.slice(1, -1).replaceAll(/\\(.)/g, '$1') : given
}
