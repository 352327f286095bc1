import { type Static, Type } from 'typebox'
import { type ProblemCode, problemsPath, problemTypes } from './problem-types.ts'

export const problemContentType = 'application/problem+json'

export const FieldErrorSchema = Type.Object({
  in: Type.Optional(
    Type.Enum(['header', 'path', 'query'], { description: 'Location of the field, unless it is in the body.' })
  ),
  pointer: Type.String({
    description:
      'JSON pointer as a URI fragment: to a field of the request body or, with `in`, to a header or parameter.',
    examples: ['#/items/0/sku']
  }),
  detail: Type.String({ description: 'Why the field is invalid.', examples: ['is required'] })
})

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      description: 'Reference to the description of the problem: `/docs/problems` with the code as its fragment.',
      format: 'uri-reference',
      examples: ['/docs/problems#ORDER_NOT_FOUND']
    }),
    title: Type.String({ description: 'Summary of the problem, the same for each occurrence.' }),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable name of the problem, for programs.' }),
    detail: Type.String({ description: 'Explanation of this occurrence and its fix, for people.' }),
    errors: Type.Optional(Type.Array(FieldErrorSchema, { description: 'All invalid fields, at most 50.' }))
  },
  { $id: 'Problem', description: 'An error response (RFC 9457).' }
)

export type FieldError = Static<typeof FieldErrorSchema>
export type Problem = Static<typeof ProblemSchema>

export function problem(status: number, code: ProblemCode, detail: string, errors?: readonly FieldError[]): Problem {
  return {
    type: `${problemsPath}#${code}`,
    title: problemTypes[code].title,
    status,
    code,
    detail,
    ...(errors === undefined ? {} : { errors: [...errors] })
  }
}

/** Detail of a problem that lists the invalid fields in `errors`. */
export const invalidFields = 'The fields in `errors` are invalid; nothing was done.'

/** An error that becomes the response when a route throws or sends it. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(status: number, code: ProblemCode, detail: string, errors?: readonly FieldError[]) {
    super(detail)
    this.name = 'ProblemError'
    this.problem = problem(status, code, detail, errors)
  }
}
