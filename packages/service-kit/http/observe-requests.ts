import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Histogram } from 'prom-client'
import { exemplarHistogram } from '../metrics/exposition.ts'
import type { Metrics } from '../metrics/registry.ts'
import { isSampled, preciseNowMs, type Spans } from '../tracing/spans.ts'
import { childTraceparent, exemplarOf } from '../tracing/trace-context.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The trace context of this request: a new span in the caller's trace, or the first span of a
     * new trace.
     */
    traceparent: string
  }
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Returns false for `/health` and `/metrics`, which are not counted as traffic. */
const isTraffic = (route: string): boolean => !route.startsWith('/health/') && route !== '/metrics'

/**
 * Records the duration of every request, labelled by route, and a span for each sampled request.
 */
export function observeRequests(http: FastifyInstance, metrics: Metrics, spans: Spans | undefined): void {
  const options = {
    name: 'orderly_http_request_duration_seconds',
    help: 'Time from a request to the end of its response; a status stream lasts until it is closed.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets
  }
  const duration =
    spans === undefined ? new Histogram({ ...options, registers: [metrics] }) : exemplarHistogram(metrics, options)
  // Cache per label combination, because prom-client hashes the labels on every call.
  const series = new Map<string, (seconds: number) => void>()

  function observe(method: string, route: string, status: number, seconds: number, traceparent: string): void {
    if (spans !== undefined) {
      const exemplarLabels = isSampled(traceparent) ? exemplarOf(traceparent) : {}
      duration.observe({ labels: { method, route, status }, value: seconds, exemplarLabels })
      return
    }
    const key = `${method} ${status} ${route}`
    let observeOne = series.get(key)
    if (observeOne === undefined) {
      observeOne = duration.labels({ method, route, status }).observe
      series.set(key, observeOne)
    }
    observeOne(seconds)
  }

  http.decorateRequest('traceparent', '')
  http.addHook('onRequest', (request, _reply, next) => {
    const parent = parentOf(request)
    request.traceparent = spans === undefined ? childTraceparent(parent) : spans.begin(parent)
    next()
  })
  http.addHook('onResponse', (request, reply, next) => {
    const route = request.routeOptions.url ?? 'none'
    if (isTraffic(route)) {
      // Requests without a route can have any method, so their label is bounded.
      const method = route === 'none' ? labelOf(request.method) : request.method
      observe(method, route, reply.statusCode, reply.elapsedTime / 1_000, request.traceparent)
      if (spans !== undefined && isSampled(request.traceparent)) record(spans, request, reply, route)
    }
    next()
  })
}

const usualMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Maps unusual methods to one label value, so that callers cannot create more time series. */
function labelOf(method: string): string {
  return usualMethods.has(method) ? method : '_OTHER'
}

function parentOf(request: FastifyRequest): string | undefined {
  const { traceparent } = request.headers
  return typeof traceparent === 'string' ? traceparent : undefined
}

/** Records a span by https://opentelemetry.io/docs/specs/semconv/http/http-spans/ */
function record(spans: Spans, request: FastifyRequest, reply: FastifyReply, route: string): void {
  const endMs = preciseNowMs()
  const { statusCode } = reply
  spans.record({
    name: route === 'none' ? request.method : `${request.method} ${route}`,
    kind: 'server',
    traceparent: request.traceparent,
    parent: parentOf(request),
    startMs: endMs - reply.elapsedTime,
    endMs,
    attributes: {
      'http.request.method': request.method,
      'http.route': route === 'none' ? undefined : route,
      'http.response.status_code': statusCode,
      'url.scheme': request.protocol,
      'url.path': request.url.split('?', 1)[0],
      'server.address': request.hostname,
      'client.address': request.ip,
      'user_agent.original': request.headers['user-agent']
    },
    ...(statusCode >= 500 && { error: { code: String(statusCode) } })
  })
}
