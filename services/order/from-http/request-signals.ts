import type { FastifyInstance, FastifyReply } from 'fastify'

/**
 * Returns a function that creates an abort signal for waiting answers. The signal is aborted when
 * the caller disconnects, its API key is revoked, or the service stops.
 */
export function createRequestSignals(http: FastifyInstance): (reply: FastifyReply) => AbortSignal {
  const stopping = new AbortController()
  http.addHook('preClose', async () => stopping.abort())
  return reply => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    const ended = reply.request.caller?.ended
    return AbortSignal.any([gone.signal, stopping.signal, ...(ended === undefined ? [] : [ended])])
  }
}
