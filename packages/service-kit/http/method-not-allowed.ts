import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Fastify answers 404 to a known path with another method. This watches the routes being added; the function that
 * it gives back, called after the last one, adds what answers 405 with the methods that there are.
 */
export function watchMethods(http: FastifyInstance): () => void {
  const methodsByPath = new Map<string, Set<string>>()
  let isWatching = true
  http.addHook('onRoute', ({ url, method }: RouteOptions) => {
    if (!isWatching) return
    const methods = methodsByPath.get(url) ?? new Set()
    for (const name of [method].flat()) methods.add(name)
    methodsByPath.set(url, methods)
  })
  return () => {
    isWatching = false
    for (const [url, methods] of methodsByPath) refuseOthers(http, url, methods)
  }
}

function refuseOthers(http: FastifyInstance, url: string, methods: ReadonlySet<string>): void {
  const others = http.supportedMethods.filter(method => !methods.has(method))
  if (url === '*' || others.length === 0) return
  const allow = [...methods].sort().join(', ')
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
