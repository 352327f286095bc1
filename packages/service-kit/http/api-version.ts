import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Header with the API version: in a request the one the client was written for, in a response the
 * one used.
 */
export const apiVersionHeader = 'orderly-version'
export const apiVersion = '1'

/**
 * Refuses requests for an unsupported API version. Paths contain no version. A request without the
 * header gets version 1 even if later versions exist, because clients without the header were
 * written for version 1.
 */
export function checkApiVersion(http: FastifyInstance): void {
  http.addHook('onRequest', ({ headers }, _reply, done) => {
    const version = headers[apiVersionHeader]
    if (version === undefined || version === apiVersion) return done()
    const detail = `The only supported \`Orderly-Version\` is ${apiVersion}. Send this version or omit the header.`
    done(new ProblemError(400, 'UNSUPPORTED_API_VERSION', detail))
  })
}
