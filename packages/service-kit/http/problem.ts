import { type Static, Type } from 'typebox'
import { type ProblemCode, problemsPath, problemTypes } from './problem-types.ts'

export const problemContentType = 'application/problem+json'

export const FieldErrorSchema = Type.Object({
  in: Type.Optional(
    Type.Enum(['header', 'path', 'query'], { description: 'Where it stands, when that is not the body.' })
  ),
  pointer: Type.String({
    description:
      'JSON pointer, as a URI fragment: into the request body or, with `in`, to the header or parameter of that name.',
    examples: ['#/items/0/sku']
  }),
  detail: Type.String({ description: 'What is wrong with it.', examples: ['is required'] })
})

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      description: 'Where the problem is described: `/docs/problems` with the code as its fragment.',
      format: 'uri-reference',
      examples: ['/docs/problems#ORDER_NOT_FOUND']
    }),
    title: Type.String({ description: 'What the problem is, the same for each occurrence.' }),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable name of the problem, for programs.' }),
    detail: Type.String({ description: 'What happened and what to do, for people.' }),
    errors: Type.Optional(Type.Array(FieldErrorSchema, { description: 'Every field that is wrong, 50 at most.' }))
  },
  { $id: 'Problem', description: 'A problem as RFC 9457 describes it.' }
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

/** Detail of a request whose fields are named one by one. */
export const invalidFields = 'The fields in `errors` are wrong; nothing was done.'

/** An error that becomes the answer when it is thrown (or sent) anywhere under a route. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(status: number, code: ProblemCode, detail: string, errors?: readonly FieldError[]) {
    super(detail)
    this.name = 'ProblemError'
    this.problem = problem(status, code, detail, errors)
  }
}
