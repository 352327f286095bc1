import type { FastifyInstance } from 'fastify'
import { createExposition } from '../metrics/exposition.ts'
import type { Metrics } from '../metrics/registry.ts'
import { apiPagePath } from './api-page.ts'
import { ProblemError } from './problem.ts'
import { problemsPage, problemsPath } from './problem-types.ts'
import type { Readiness } from './readiness.ts'

/**
 * Adds the operational routes of every service: the way to the API page, liveness, readiness,
 * metrics and the page of problem types.
 */
export function addOperations(http: FastifyInstance, readiness: Readiness, metrics: Metrics): void {
  const schema = { hide: true } as object
  const expose = createExposition(metrics)

  // A service without an API leads to the page of the order service.
  http.get('/', { schema }, (_request, reply) => {
    if (http.hasRoute({ method: 'GET', url: '/openapi.json' })) return reply.redirect(apiPagePath)
    const { order } = http.apiAddresses
    if (order === undefined) throw new ProblemError(404, 'NOT_FOUND', 'This service has no API.')
    return reply.redirect(`${order}${apiPagePath}`)
  })

  http.get('/health/live', { schema }, (_request, reply) => {
    reply.header('cache-control', 'no-store').send({ status: 'live' })
  })

  http.get('/health/ready', { schema }, async (_request, reply) => {
    const { isReady, checks } = await readiness.check()
    return reply
      .code(isReady ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: isReady ? 'ready' : 'not ready', checks })
  })

  http.get(problemsPath, { schema }, (_request, reply) => {
    reply.type('text/html; charset=utf-8').send(problemsPage())
  })

  http.get('/metrics', { schema }, async (request, reply) => {
    const { contentType, text } = await expose(request.headers.accept)
    return reply.type(contentType).send(text)
  })
}
