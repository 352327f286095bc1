import type { FastifyInstance, FastifyReply } from 'fastify'

/** For what an answer waits for: aborted when its caller has gone away, and when the service is to stop. */
export function createRequestSignals(http: FastifyInstance): (reply: FastifyReply) => AbortSignal {
  const stopping = new AbortController()
  http.addHook('preClose', async () => stopping.abort())
  return reply => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    return AbortSignal.any([gone.signal, stopping.signal])
  }
}
