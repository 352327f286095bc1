import type { FastifyInstance, RouteOptions } from 'fastify'
import { invalidFields, ProblemError } from './problem.ts'

/**
 * Refuses requests without a body on routes that accept several media types. Fastify selects the
 * schema by media type and does not validate a missing body on these routes.
 */
export function requireBodies(http: FastifyInstance): void {
  http.addHook('onRoute', (route: RouteOptions) => {
    const { content } = (route.schema?.body ?? {}) as { content?: object }
    if (content === undefined) return
    const others = [route.preValidation ?? []].flat()
    route.preValidation = [
      (request, _reply, done) => done(request.body === undefined ? missingBody() : undefined),
      ...others
    ]
  })
}

function missingBody(): ProblemError {
  return new ProblemError(400, 'INVALID_REQUEST', invalidFields, [{ pointer: '#', detail: 'is required' }])
}
