import type { FastifyInstance, FastifyReply } from 'fastify'

/** Answers that wait: how long the caller wants to wait, and when it no longer does. */

export const longestWaitSeconds = 30

const waitPreference = /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?=[,;]|$)/i

/** Returns the seconds of `Prefer: wait=…` (RFC 7240), up to the maximum. Undefined without it. */
export function waitSeconds(prefer: string | undefined): number | undefined {
  const seconds = prefer === undefined ? undefined : waitPreference.exec(prefer)?.[1]
  return seconds === undefined ? undefined : Math.min(Number(seconds), longestWaitSeconds)
}

/**
 * Returns a function that creates an abort signal for waiting answers. The signal is aborted when
 * the caller disconnects, its API key is revoked, its token expires, or the service stops.
 */
export function createRequestSignals(http: FastifyInstance): (reply: FastifyReply) => AbortSignal {
  const stopping = new AbortController()
  http.addHook('preClose', async () => stopping.abort())
  return reply => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    const { ended, expiresAtMs } = reply.request.caller ?? {}
    if (expiresAtMs !== undefined) {
      const timer = setTimeout(() => gone.abort(), Math.max(1, expiresAtMs - Date.now())).unref()
      gone.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    }
    return AbortSignal.any([gone.signal, stopping.signal, ...(ended === undefined ? [] : [ended])])
  }
}
