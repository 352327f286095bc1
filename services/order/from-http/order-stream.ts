import type { OutgoingHttpHeaders } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { ProblemError } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isFinal, isSettled, type Order, statusEventsAfter } from '../domain/order-status.ts'
import { streamOrder, toNotice } from './order-schema.ts'
import type { OrderStatusReader } from './order-status-reader.ts'

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): the status of one order, as it changes.
 *
 * A stream ends behind the last status that its order gets by itself or, if that is asked for, that it gets at all; when the caller goes; or
 * when the service stops. Then the caller comes
 * again with `Last-Event-ID`, to any instance, as event ids are the same everywhere. Who has it all is told so with 204, upon
 * which browsers stop coming. Between events a comment line shows that the connection is alive.
 */
export interface StreamOptions {
  readonly orders: Pick<OrderStatusReader, 'watchStream'>
  readonly find: (orderID: string, request: FastifyRequest, reply: FastifyReply) => Promise<Order>
  readonly signalOf: (reply: FastifyReply) => AbortSignal
  readonly maxStreams: number
  readonly heartbeatMs?: number
}

const usualHeartbeatMs = 15_000
const comeAgainMs = 1_000

export function addStream(http: FastifyInstance, options: StreamOptions): void {
  const { orders, find, signalOf, maxStreams, heartbeatMs = usualHeartbeatMs } = options
  let streams = 0
  const route = { schema: streamOrder, exposeHeadRoute: false, config: { access: ['shop', 'operator'] } as const }

  http.withTypeProvider<TypeBoxTypeProvider>().get('/orders/:orderID/events', route, async (request, reply) => {
    if (streams >= maxStreams) {
      reply.header('retry-after', 1)
      throw new ProblemError(503, 'TOO_MANY_STREAMS', 'Too many streams are open. Try again later.')
    }
    streams++
    try {
      const order = await find(request.params.orderID, request, reply)
      const lastID = request.headers['last-event-id']
      const isOver = request.query.until === 'final' ? isFinal : isSettled
      if (isOver(order) && statusEventsAfter(order, lastID).length === 0) return reply.code(204).send()
      reply.hijack()
      await stream(order, { lastID, isOver }, reply)
    } finally {
      streams--
    }
    return reply
  })

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
    for (let told = lastID; ; ) {
      for (const event of statusEventsAfter(order, told)) {
        raw.write(`id: ${event.id}\nevent: status\ndata: ${JSON.stringify(toNotice(order.orderID, event))}\n\n`)
        told = event.id
      }
      if (isOver(order) || signal.aborted) break
      const last = told
      const hasNews = (seen: Order) => statusEventsAfter(seen, last).length > 0
      order = (await orders.watchStream.until(order.orderID, hasNews, { timeoutMs: heartbeatMs, signal })) ?? order
      if (signal.aborted) break
      if (!hasNews(order)) raw.write(': still here\n\n')
    }
    raw.end()
  }
}
