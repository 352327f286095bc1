import { type Static, type TSchema, Type } from 'typebox'
import { ProblemSchema, problemContentType } from './problem.ts'

/** Helpers for the response schemas of routes. */

/** Returns a reference to a schema that was added to the server. */
export function refer<Schema extends TSchema & { $id?: string }>(schema: Schema) {
  return Type.Unsafe<Static<Schema>>({ $ref: `${schema.$id}#` })
}

export function refused(description: string, headers?: Record<string, object>) {
  return {
    description,
    content: { [problemContentType]: { schema: refer(ProblemSchema) } },
    ...(headers === undefined ? {} : { headers })
  }
}

export const retryAfter = {
  'retry-after': { type: 'integer', description: 'Seconds to wait before the next attempt.' }
}

export function serviceUnavailable(description: string) {
  return refused(description, retryAfter)
}
