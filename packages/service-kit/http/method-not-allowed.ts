import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Records the paths of all routes that are added, because Fastify answers 404 to a known path with
 * an unsupported method.
 * @returns a function to call after the last route; it adds routes that answer 405 with `Allow`
 */
export function watchMethods(http: FastifyInstance): () => void {
  const paths = new Set<string>()
  let isWatching = true
  http.addHook('onRoute', ({ url }: RouteOptions) => {
    if (isWatching) paths.add(url)
  })
  return () => {
    isWatching = false
    for (const url of paths) refuseOthers(http, url)
  }
}

function refuseOthers(http: FastifyInstance, url: string): void {
  // The router is queried because a path with and without a trailing slash is one route, and the
  // hook runs once for it.
  const isThere = (method: string) => http.hasRoute({ url, method })
  const others = http.supportedMethods.filter(method => !isThere(method))
  if (url === '*' || others.length === 0) return
  const allow = http.supportedMethods.filter(isThere).sort().join(', ')
  http.route({
    method: others as HTTPMethods[],
    url,
    schema: { hide: true } as object,
    // In `onRequest`, so that the body is neither parsed nor validated.
    onRequest: (_request, reply, done) => {
      reply.header('allow', allow)
      done(new ProblemError(405, 'METHOD_NOT_ALLOWED', `Allowed methods: ${allow}.`))
    },
    handler: () => undefined
  })
}
