import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { ShareLimits } from '@orderly/callers'
import type { FastifyInstance } from 'fastify'
import type { OrderStore } from '../store/order-store.ts'
import type { OrderWatch } from '../store/order-watch.ts'
import { fromCursor, toCursor } from './cursor.ts'
import { createFindOrder, ownerOf } from './find-order.ts'
import { getOrder, listOrders, querySchemas, toResource } from './order-schema.ts'
import { addStream } from './order-stream.ts'
import { createRequestSignals } from './waiting.ts'

export interface StatusRoutesOptions {
  readonly orders: Pick<OrderStore, 'find' | 'list'>
  readonly watch: OrderWatch
  readonly nowMs: () => number
  readonly streamLimits: ShareLimits
  readonly heartbeatMs?: number
}

const usualPageSize = 20
const readers = { access: ['shop', 'operator'] } as const

export function addStatusRoutes(http: FastifyInstance, options: StatusRoutesOptions): void {
  const { orders } = options
  for (const schema of querySchemas) http.addSchema(schema)
  const signalOf = createRequestSignals(http)
  const find = createFindOrder({ ...options, signalOf })
  const typed = http.withTypeProvider<TypeBoxTypeProvider>()

  typed.get('/orders/:orderID', { schema: getOrder, config: readers }, async (request, reply) => {
    const order = await find(request.params.orderID, request, reply)
    reply.header('cache-control', 'no-store')
    return toResource(order)
  })

  typed.get('/orders', { schema: listOrders, config: readers }, async (request, reply) => {
    const { userID, limit, cursor } = request.query
    const caller = ownerOf(request)
    const list = { userID, caller }
    const beforeID = cursor === undefined ? undefined : fromCursor(list, cursor)
    const page = await orders.list(userID, {
      limit: Number(limit ?? usualPageSize),
      ...(caller !== undefined && { caller }),
      ...(beforeID !== undefined && { beforeID })
    })
    reply.header('cache-control', 'no-store')
    const last = page.orders.at(-1)
    return {
      orders: page.orders.map(toResource),
      ...(page.hasMore && last !== undefined && { nextCursor: toCursor(list, last.orderID) })
    }
  })

  addStream(http, { ...options, find, signalOf })
}
