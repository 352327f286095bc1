import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Fastify answers 404 to a known path with another method. This watches the routes being added; the function that
 * it gives back, called after the last one, adds what answers 405 with the methods that there are.
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
  // Asked of the router: a path with and without a slash at its end may be one route, and the hook is told of it once.
  const isThere = (method: string) => http.hasRoute({ url, method })
  const others = http.supportedMethods.filter(method => !isThere(method))
  if (url === '*' || others.length === 0) return
  const allow = http.supportedMethods.filter(isThere).sort().join(', ')
  http.route({
    method: others as HTTPMethods[],
    url,
    schema: { hide: true } as object,
    // Before the body is looked at: it does not matter what is in it.
    onRequest: (_request, reply, done) => {
      reply.header('allow', allow)
      done(new ProblemError(405, 'METHOD_NOT_ALLOWED', `Allowed here: ${allow}.`))
    },
    handler: () => undefined
  })
}
