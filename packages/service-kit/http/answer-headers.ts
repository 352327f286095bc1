import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { apiVersion, apiVersionHeader } from './api-version.ts'

/**
 * Headers of every answer: the version of the API, and for browsers that it is data and nothing else. A page that is there to
 * be looked at sets its own policy. HTTPS is up to the proxy that ends it, and so is Strict-Transport-Security.
 */
export const answerHeaders = {
  [apiVersionHeader]: apiVersion,
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer'
} as const

/** Every answer has a request id, the caller's own if it sent one, and the security headers. */
export function addAnswerHeaders(http: FastifyInstance): void {
  http.addHook('onRequest', (request, reply, done) => {
    setAnswerHeaders(request, reply)
    done()
  })
}

/** For what is answered before there are hooks. */
export function setAnswerHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.headers(answerHeaders)
  reply.header('x-request-id', id)
}

const callersOwn = /^[\x21-\x7e]{1,128}$/
// Random once for each process; bytes for each request would cost more than everything else here.
const processID = randomBytes(9).toString('base64url')
let requests = 0

export function requestIDOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && callersOwn.test(given) ? given : `${processID}-${(++requests).toString(36)}`
}
