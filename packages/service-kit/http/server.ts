import { once } from 'node:events'
import { METHODS } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { ConfigError } from '../config/config-error.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/registry.ts'
import type { Spans } from '../tracing/spans.ts'
import { addAnswerHeaders, requestIDOf, setAnswerHeaders } from './answer-headers.ts'
import { answerStarting } from './answer-starting.ts'
import { checkApiVersion } from './api-version.ts'
import { answerClientError, answerUnusualRequests } from './client-error.ts'
import { addErrorHandler } from './error-handler.ts'
import { limitJSONBodies } from './json-body.ts'
import { watchMethods } from './method-not-allowed.ts'
import { observeRequests } from './observe-requests.ts'
import { addOperations } from './operations.ts'
import { ProblemError, ProblemSchema } from './problem.ts'
import type { Readiness } from './readiness.ts'
import { checkRequestHeads, refuseCrossSite } from './request-head.ts'
import { requireBodies } from './required-body.ts'
import { addSchemaKeywords } from './schema-keywords.ts'

/** States: **created** → **starting** (listens, and answers that it is live) → **open** (its routes answer) → **closed**. */
export interface HttpServer {
  readonly fastify: FastifyInstance
  /** @returns the address, with the real port. */
  listen(host: string, port: number): Promise<string>
  /** Lets the routes answer. None can be added any more. */
  open(): Promise<void>
  /** Finishes the requests in flight; one that takes longer than `patienceMs` is cut off. */
  close(patienceMs: number): Promise<void>
}

export interface HttpServerOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  readonly readiness: Readiness
  /** Where requests are told as spans, if anywhere. */
  readonly spans?: Spans | undefined
  /** Origins whose pages may send requests from a browser, though they are of another site. */
  readonly allowedOrigins?: readonly string[]
}

const maxBodyBytes = 65_536
const requestTimeoutMs = 15_000
const headersTimeoutMs = 10_000
/** A little longer than the 60 seconds for which most proxies keep theirs, so that it is not us who closes under their next request. */
const keepAliveTimeoutMs = 65_000
/** Node looks for requests that take too long only so often. */
const timeoutCheckMs = 2_000

/**
 * A server that answers problems as RFC 9457, checks bodies strictly (nothing is coerced, dropped or filled in) and
 * leaves Fastify's logging out: a child logger and two lines for each request cost more than an order.
 */
export function createHttpServer({
  logger,
  metrics,
  readiness,
  spans,
  allowedOrigins = []
}: HttpServerOptions): HttpServer {
  const fastify = Fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: timeoutCheckMs, requireHostHeader: false },
    genReqId: requestIDOf,
    // As long as a URL can be: how long a parameter may be is for the schema of its route to say. And `/orders/` is no order without an id.
    routerOptions: { maxParamLength: 16_384, ignoreTrailingSlash: true },
    // A request that arrives while stopping is still answered: what it needs is released after the server.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors(error, request, reply) {
      setAnswerHeaders(request, reply)
      handleError(error, request, reply)
    },
    ajv: {
      customOptions: {
        allErrors: true,
        verbose: true,
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false
      },
      onCreate: addSchemaKeywords
    },
    schemaErrorFormatter: errors => Object.assign(new Error('invalid request'), { validation: errors })
  })
  // Routes that are not there answer 405 by them, not 404.
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !fastify.supportedMethods.includes(method)) fastify.addHttpMethod(method)
  }
  const handleError = addErrorHandler(fastify, logger, metrics)
  fastify.removeContentTypeParser('text/plain')
  limitJSONBodies(fastify)
  answerUnusualRequests(fastify.server)
  addAnswerHeaders(fastify)
  checkRequestHeads(fastify)
  checkApiVersion(fastify)
  refuseCrossSite(fastify, allowedOrigins)
  fastify.addSchema(ProblemSchema)
  fastify.setErrorHandler(handleError)
  fastify.setNotFoundHandler(() => {
    throw new ProblemError(404, 'NOT_FOUND', 'There is nothing here.')
  })
  requireBodies(fastify)
  const refuseOtherMethods = watchMethods(fastify)
  observeRequests(fastify, metrics, spans)
  addOperations(fastify, readiness, metrics)

  // Fastify itself allows no routes once it listens.
  const [answer] = fastify.server.listeners('request') as [(...given: unknown[]) => void]
  let isOpen = false
  return {
    fastify,
    async listen(host, port) {
      const { server } = fastify
      server.removeListener('request', answer).on('request', answerStarting)
      try {
        await once(server.listen({ host, port }), 'listening')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
        throw new ConfigError([
          `HTTP_PORT is ${port}, which another process on ${host} listens on: set it to a free port`
        ])
      }
      const { address, port: realPort, family } = server.address() as AddressInfo
      return `http://${family === 'IPv6' ? `[${address}]` : address}:${realPort}`
    },
    async open() {
      await fastify.after()
      refuseOtherMethods()
      await fastify.ready()
      fastify.server.removeListener('request', answerStarting).on('request', answer)
      isOpen = true
    },
    async close(patienceMs) {
      const { server } = fastify
      if (!isOpen) {
        server.closeAllConnections()
        if (server.listening) await new Promise(resolve => server.close(resolve))
        return
      }
      isOpen = false
      const timer = setTimeout(() => fastify.server.closeAllConnections(), patienceMs)
      try {
        await fastify.close()
      } finally {
        clearTimeout(timer)
      }
    }
  }
}
