import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { apiVersion, apiVersionHeader } from './api-version.ts'

/**
 * Headers of every response: the API version, and security headers for browsers. Pages for browsers
 * replace the content security policy. Strict-Transport-Security is left to the proxy that
 * terminates TLS.
 */
export const answerHeaders = {
  [apiVersionHeader]: apiVersion,
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer'
} as const

/**
 * Adds `answerHeaders` and a request id to every response. The request id is the caller's if it
 * sent a valid one.
 */
export function addAnswerHeaders(http: FastifyInstance): void {
  http.addHook('onRequest', (request, reply, done) => {
    setAnswerHeaders(request, reply)
    done()
  })
}

/** Sets the headers of a response that is sent before the hooks run. */
export function setAnswerHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.headers(answerHeaders)
  reply.header('x-request-id', id)
}

const callersOwn = /^[\x21-\x7e]{1,128}$/
// One random prefix per process: random bytes per request would cost more than the other headers.
const processID = randomBytes(9).toString('base64url')
let requests = 0

export function requestIDOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && callersOwn.test(given) ? given : `${processID}-${(++requests).toString(36)}`
}
