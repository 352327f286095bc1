import type { OutgoingHttpHeaders } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type Caller, createShares, type ExceededLimit, type ShareLimits, staffRoles } from '@orderly/callers'
import { ProblemError } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { isFinal, isSettled, type Order, statusEventsAfter } from '../domain/order-status.ts'
import type { OrderWatch } from '../store/order-watch.ts'
import type { FindOrder } from './find-order.ts'
import { streamOrder, toNotice } from './order-schema.ts'

/**
 * Options of the status stream: server-sent events with the status changes of one order
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * A stream ends once only a cancel can still change the status or, with `until=final`, after the
 * final status. It also ends when the caller disconnects, its API key is revoked, or the service
 * stops. Callers reconnect with `Last-Event-ID` to any instance, because event ids are the same on
 * all instances. A caller that has all events gets 204, which makes browsers stop reconnecting.
 * Between events a comment line shows that the connection is alive.
 */
export interface StreamOptions {
  readonly watch: Pick<OrderWatch, 'untilUnlimited'>
  readonly find: FindOrder
  readonly signalOf: (reply: FastifyReply) => AbortSignal
  readonly streamLimits: ShareLimits
  readonly heartbeatMs?: number
}

const usualHeartbeatMs = 15_000
const comeAgainMs = 1_000
/** Open streams of one order by its tokens. A customer cannot use up the streams of the shop. */
const streamsPerToken = 4

export function addStream(http: FastifyInstance, options: StreamOptions): void {
  const { watch, find, signalOf, streamLimits, heartbeatMs = usualHeartbeatMs } = options
  const streams = createShares(streamLimits)
  const streamsByToken = createShares({ total: streamLimits.total, perCaller: streamsPerToken })
  const route = {
    schema: streamOrder,
    exposeHeadRoute: false,
    config: { access: ['shop', ...staffRoles], acceptsTokens: true } as const
  }

  http.withTypeProvider<TypeBoxTypeProvider>().get('/orders/:orderID/events', route, async (request, reply) => {
    const { caller } = request
    const release = caller?.tokenOf === undefined ? streams.acquire(caller?.name) : acquireByToken(caller)
    if (typeof release !== 'function') {
      reply.header('retry-after', 1)
      throw tooManyStreams(release)
    }
    try {
      const order = await find(request.params.orderID, request, reply)
      const lastID = request.headers['last-event-id']
      const isOver = request.query.until === 'final' ? isFinal : isSettled
      if (isOver(order) && statusEventsAfter(order, lastID).length === 0) return reply.code(204).send()
      reply.hijack()
      await stream(order, { lastID, isOver }, reply)
    } finally {
      release()
    }
    return reply
  })

  /** Counts a stream for the order and for the caller that placed it. */
  function acquireByToken({ name, tokenOf }: Caller) {
    const releaseToken = streamsByToken.acquire(tokenOf)
    if (typeof releaseToken !== 'function') return releaseToken
    const release = streams.acquire(name)
    if (typeof release !== 'function') {
      releaseToken()
      return release
    }
    return () => {
      release()
      releaseToken()
    }
  }

  async function stream(
    first: Order,
    { lastID, isOver }: { readonly lastID: string | undefined; readonly isOver: (order: Order) => boolean },
    reply: FastifyReply
  ): Promise<void> {
    const { raw } = reply
    const signal = signalOf(reply)
    raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
      'x-accel-buffering': 'no'
    })
    raw.write(`retry: ${comeAgainMs}\n\n`)
    let order = first
    for (let reported = lastID; ; ) {
      for (const event of statusEventsAfter(order, reported)) {
        raw.write(`id: ${event.id}\nevent: status\ndata: ${JSON.stringify(toNotice(order.orderID, event))}\n\n`)
        reported = event.id
      }
      if (isOver(order) || signal.aborted) break
      const last = reported
      const hasNews = (seen: Order) => statusEventsAfter(seen, last).length > 0
      order = (await watch.untilUnlimited(order.orderID, hasNews, { timeoutMs: heartbeatMs, signal })) ?? order
      if (signal.aborted) break
      if (!hasNews(order)) raw.write(': still here\n\n')
    }
    raw.end()
  }
}

function tooManyStreams(limit: ExceededLimit): ProblemError {
  return limit === 'total'
    ? new ProblemError(503, 'TOO_MANY_STREAMS', 'Too many streams are open. Try again later.')
    : new ProblemError(429, 'TOO_MANY_STREAMS', 'You have too many streams open. Close some, or try again later.')
}
