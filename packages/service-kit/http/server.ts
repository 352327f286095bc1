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
import type { ApiAddresses } from './api-page.ts'
import { checkApiVersion } from './api-version.ts'
import { answerClientError, answerUnusualRequests } from './client-error.ts'
import { shareWithOrigins } from './cors.ts'
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

/**
 * An HTTP server. States: **created** → **starting** (listens, live but not ready) → **open**
 * (routes answer) → **closed**.
 */
export interface HttpServer {
  readonly fastify: FastifyInstance
  /** @returns the address with the actual port */
  listen(host: string, port: number): Promise<string>
  /** Enables the routes. No more routes can be added. */
  open(): Promise<void>
  /** Waits for the requests in flight, then closes the remaining connections after `patienceMs`. */
  close(patienceMs: number): Promise<void>
}

export interface HttpServerOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  readonly readiness: Readiness
  /** Recorder for the spans of requests; undefined when traces are not recorded. */
  readonly spans?: Spans | undefined
  /** Origins whose pages may send requests and read the responses. */
  readonly allowedOrigins?: readonly string[]
  readonly apiAddresses?: ApiAddresses
}

const maxBodyBytes = 65_536
const requestTimeoutMs = 15_000
const headersTimeoutMs = 10_000
/**
 * Idle time after which the server closes a connection. Most proxies close theirs after 60 seconds,
 * so the server does not close a connection on which a proxy is about to send a request.
 */
const keepAliveTimeoutMs = 65_000
/** Interval at which Node checks for requests that exceed their timeouts. */
const timeoutCheckMs = 2_000

/**
 * Creates a server that answers errors with problems (RFC 9457) and validates bodies strictly: it
 * coerces, drops and defaults nothing. Fastify's logging is disabled, because a child logger and
 * two lines per request cost more than an order.
 */
export function createHttpServer({
  logger,
  metrics,
  readiness,
  spans,
  allowedOrigins = [],
  apiAddresses = {}
}: HttpServerOptions): HttpServer {
  const fastify = Fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: timeoutCheckMs, requireHostHeader: false },
    genReqId: requestIDOf,
    // The schemas of routes limit parameters, so the router accepts the maximum length of a URL.
    // With `ignoreTrailingSlash`, `/orders/` is the collection and not an order with an empty id.
    routerOptions: { maxParamLength: 16_384, ignoreTrailingSlash: true },
    // Requests that arrive during shutdown are still answered: their resources are released after
    // the server.
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
  // All methods that Node parses, so that the router can answer 405 instead of 404.
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
  shareWithOrigins(fastify, allowedOrigins)
  refuseCrossSite(fastify, allowedOrigins)
  fastify.addSchema(ProblemSchema)
  fastify.setErrorHandler(handleError)
  fastify.setNotFoundHandler(() => {
    throw new ProblemError(404, 'NOT_FOUND', 'The path does not exist.')
  })
  requireBodies(fastify)
  const refuseOtherMethods = watchMethods(fastify)
  observeRequests(fastify, metrics, spans)
  fastify.decorate('apiAddresses', apiAddresses)
  addOperations(fastify, readiness, metrics)

  // Fastify's `listen` would forbid adding routes, so the Node server listens and Fastify's handler
  // is attached later.
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
        throw new ConfigError([`HTTP_PORT is ${port}, which another process uses on ${host}: set it to a free port`])
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
