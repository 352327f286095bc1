import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type ShareLimits, staffRoles } from '@orderly/callers'
import { type FieldError, invalidFields, ProblemError } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { OrderFilter, OrderStore } from '../store/order-store.ts'
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
const readers = { access: ['shop', ...staffRoles] } as const
const orderReaders = { ...readers, acceptsTokens: true } as const

export function addStatusRoutes(http: FastifyInstance, options: StatusRoutesOptions): void {
  const { orders } = options
  for (const schema of querySchemas) http.addSchema(schema)
  const signalOf = createRequestSignals(http)
  const find = createFindOrder({ ...options, signalOf })
  const typed = http.withTypeProvider<TypeBoxTypeProvider>()

  typed.get('/orders/:orderID', { schema: getOrder, config: orderReaders }, async (request, reply) => {
    const order = await find(request.params.orderID, request, reply)
    reply.header('cache-control', 'no-store')
    return toResource(order)
  })

  typed.get('/orders', { schema: listOrders, config: readers }, async (request, reply) => {
    const { limit, cursor, ...query } = request.query
    const filter = filterOf(query, ownerOf(request))
    const beforeID = cursor === undefined ? undefined : fromCursor(filter, cursor)
    const page = await orders.list(filter, { limit: Number(limit ?? usualPageSize), beforeID })
    reply.header('cache-control', 'no-store')
    return {
      orders: page.orders.map(toResource),
      ...(page.nextBeforeID !== undefined && { nextCursor: toCursor(filter, page.nextBeforeID) })
    }
  })

  addStream(http, { ...options, find, signalOf })
}

type Query = Omit<Static<typeof listOrders.querystring>, 'limit' | 'cursor'>

/**
 * Returns the filter of a list.
 * @param caller caller whose orders are listed; undefined for all callers
 * @throws ProblemError 400 for a time that does not exist, and for a shop without a user
 */
function filterOf({ acceptedFrom, acceptedUntil, ...query }: Query, caller: string | undefined): OrderFilter {
  const errors: FieldError[] = []
  const refuse = (name: string, detail: string) => void errors.push({ in: 'query', pointer: `#/${name}`, detail })
  function timeOf(name: string, text: string | undefined): number | undefined {
    const ms = text === undefined ? undefined : Date.parse(text)
    if (Number.isNaN(ms)) refuse(name, 'is not a time that exists')
    return ms
  }
  const [fromMs, untilMs] = [timeOf('acceptedFrom', acceptedFrom), timeOf('acceptedUntil', acceptedUntil)]
  // A list of all users would examine the orders of other shops.
  if (caller !== undefined && query.userID === undefined) refuse('userID', 'is required for a shop')
  if (errors.length > 0) throw new ProblemError(400, 'INVALID_REQUEST', invalidFields, errors)
  return { ...query, caller, fromMs, untilMs }
}
