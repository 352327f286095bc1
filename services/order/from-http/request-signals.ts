import type { FastifyInstance, FastifyReply } from 'fastify'

/** Makes signals for what answers wait for: aborted when the caller is gone, its key has ended, or the service stops. */
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
