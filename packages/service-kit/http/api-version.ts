import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/** Header by which a client says which version of the API it was written for, and a service which one it answers in. */
export const apiVersionHeader = 'orderly-version'
export const apiVersion = '1'

/**
 * Refuses requests for another version of the API than the one there is. The path has no version. A request without the
 * header gets version 1, also when there are later ones: clients that never heard of the header were written for it.
 */
export function checkApiVersion(http: FastifyInstance): void {
  http.addHook('onRequest', ({ headers }, _reply, done) => {
    const version = headers[apiVersionHeader]
    if (version === undefined || version === apiVersion) return done()
    const detail = `The only \`Orderly-Version\` is ${apiVersion}. Send that, or no such header.`
    done(new ProblemError(400, 'UNSUPPORTED_API_VERSION', detail))
  })
}
