import type { FastifyRequest } from 'fastify'
import { invalidFields, ProblemError } from './problem.ts'

/**
 * The two forms of an `Idempotency-Key`: a string of structured fields (RFC 9651), as required by
 * draft-ietf-httpapi-idempotency-key-header, or the same text without quotes. `"abc"` and `abc` are
 * the same key. The unquoted form must not contain `"`, nor a comma, because proxies join repeated
 * headers with commas.
 */
const bare = '[!#-+\\-.-~](?:[ !#-+\\-.-~]{0,253}[!#-+\\-.-~])?'
const quoted = '"(?:[ !#-[\\]-~]|\\\\["\\\\]){1,255}"'

export const idempotencyKeyPattern = `^(?:${bare}|${quoted})$`
export const idempotencyKeyForm =
  'one key of 1 to 255 printable ASCII characters, `abc` or `"abc"`; a quoted key may contain commas, and `"` and `\\` escaped with a backslash'

/**
 * Returns the `Idempotency-Key` of a request whose headers have been validated, or undefined.
 * @throws ProblemError 400 when the header was sent more than once
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
