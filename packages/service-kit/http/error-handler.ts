import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Counter } from 'prom-client'
import { atMostEvery } from '../logging/at-most-every.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/registry.ts'
import { fieldErrors } from './field-errors.ts'
import { invalidFields, type Problem, ProblemError, problem, problemContentType } from './problem.ts'
import type { ProblemCode } from './problem-types.ts'

const retryAfterSeconds = 1

/** Problems for the errors that Fastify throws itself. */
const refusals = new Map<unknown, { code: ProblemCode; detail: string }>(
  Object.entries<{ code: ProblemCode; detail: string }>({
    FST_ERR_CTP_BODY_TOO_LARGE: {
      code: 'BODY_TOO_LARGE',
      detail: 'The request body is larger than this operation accepts.'
    },
    FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'INVALID_JSON', detail: 'The body is empty.' },
    FST_ERR_CTP_INVALID_JSON_BODY: { code: 'INVALID_JSON', detail: 'The body is not valid JSON.' },
    FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
      code: 'BAD_REQUEST',
      detail: 'The length of the body differs from Content-Length.'
    },
    FST_ERR_BAD_URL: { code: 'BAD_URL', detail: 'The path is not valid.' }
  })
)

/**
 * Converts any thrown value to a problem: 4xx for a fault of the caller, 503 for a transient error
 * (`retryable`), 500 otherwise. The problem of a server error reveals no internal details.
 */
function toProblem(error: unknown, { routeOptions, headers }: FastifyRequest): Problem {
  if (error instanceof ProblemError) return error.problem
  const { validation, validationContext, code, statusCode, retryable } = (error ?? {}) as Partial<FastifyError> & {
    retryable?: unknown
  }
  if (Array.isArray(validation)) {
    const errors = fieldErrors(validation, validationContext)
    return problem(400, 'INVALID_REQUEST', invalidFields, errors)
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const { content = { 'application/json': {} } } = (routeOptions.schema?.body ?? {}) as { content?: object }
    return problem(415, 'UNSUPPORTED_MEDIA_TYPE', `Send the body as ${Object.keys(content).join(' or ')}.`)
  }
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' && headers['content-encoding'] !== undefined) {
    return problem(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the body without Content-Encoding.')
  }
  const refusal = refusals.get(code)
  if (refusal !== undefined) return problem(statusCode ?? 400, refusal.code, refusal.detail)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return problem(statusCode, 'BAD_REQUEST', (error as Error).message)
  }
  if (retryable === true) {
    return problem(503, 'UNAVAILABLE', 'The service is temporarily unavailable. Try again later.')
  }
  return problem(500, 'INTERNAL_ERROR', 'An internal error occurred and has been logged.')
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Converts an error to its problem and logs server errors, for routes that answer with several
     * problems.
     */
    problemOf(error: unknown): Problem
  }
}

export function addErrorHandler(http: FastifyInstance, logger: Logger, metrics: Metrics) {
  const problems = new Counter({
    name: 'orderly_http_problems_total',
    help: 'Requests that were answered with a problem.',
    labelNames: ['status', 'code'],
    registers: [metrics]
  })
  // During an outage all requests fail alike, so one line per second is enough.
  const logUnavailable = atMostEvery(1_000, (fields: object, suppressed: number) =>
    logger.warn({ event: 'request_unavailable', ...fields, suppressed }, 'request answered with 503')
  )
  function problemOf(error: unknown, request: FastifyRequest): Problem {
    const problem = toProblem(error, request)
    const { method, url, traceparent, id: requestID } = request
    const fields = { error, method, url, requestID, traceparent }
    if (problem.status === 503) logUnavailable(fields)
    else if (problem.status >= 500) logger.error({ event: 'request_failed', ...fields }, 'request failed')
    return problem
  }
  http.decorateRequest('problemOf', function (error) {
    return problemOf(error, this)
  })
  return function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    // Not `request.problemOf`: Fastify does not decorate a request whose path cannot be decoded.
    const answer = problemOf(error, request)
    if (answer.status === 503) reply.header('retry-after', retryAfterSeconds)
    problems.inc({ status: answer.status, code: answer.code })
    // Serialized here, so that the response schema of a route cannot change the problem.
    reply.code(answer.status).type(problemContentType).serializer(JSON.stringify).send(answer)
  }
}
