import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { idempotencyKeyOf } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { hasOutcome, type Order } from '../domain/order-status.ts'
import type { OrderWatch } from '../store/order-watch.ts'
import { linksTo, toResource } from './order-schema.ts'
import { type Place, refusalOf } from './place-order.ts'
import { maxOrderBytes, placeOrder, sharedSchemas } from './schema.ts'
import { createRequestSignals, waitSeconds } from './waiting.ts'

export interface OrderRoutesOptions {
  readonly place: Place
  readonly watch: Pick<OrderWatch, 'until'>
  /** Version of OrderCreated to write. Fields that this version lacks are refused. */
  readonly orderCreatedVersion: number
}

export function addOrderRoutes(http: FastifyInstance, options: OrderRoutesOptions): void {
  const { place, watch, orderCreatedVersion } = options
  for (const schema of sharedSchemas(orderCreatedVersion)) http.addSchema(schema)
  const signalOf = createRequestSignals(http)
  const route = { schema: placeOrder, bodyLimit: maxOrderBytes, config: { access: ['shop'] } as const }

  http.withTypeProvider<TypeBoxTypeProvider>().post('/orders', route, async (request, reply) => {
    const { prefer } = request.headers
    const key = idempotencyKeyOf(request)
    const { traceparent } = request
    reply.header('traceparent', traceparent)
    const placement = await place(request.body, { key, traceparent, caller: request.caller?.name })
    if (placement.kind === 'in-flight') reply.header('retry-after', Math.ceil(placement.retryAfterMs / 1_000))
    if (placement.kind !== 'placed') throw refusalOf(placement)
    const { orderID } = placement
    if (placement.isReplay) reply.header('idempotent-replayed', 'true')
    if (key !== undefined) reply.header('traceparent', placement.traceparent)
    const links = linksTo(orderID)
    reply.header('location', links.self)
    const decided = prefer === undefined ? undefined : await outcomeOf(orderID, prefer, reply)
    if (decided !== undefined) return reply.code(200).send(toResource(decided))
    reply.code(202)
    return { orderID, status: 'accepted' as const, links }
  })

  async function outcomeOf(orderID: string, prefer: string, reply: FastifyReply): Promise<Order | undefined> {
    const seconds = waitSeconds(prefer)
    if (seconds === undefined) return undefined
    const options = { timeoutMs: seconds * 1_000, signal: signalOf(reply), caller: reply.request.caller?.name }
    const waiting = watch.until(orderID, hasOutcome, options)
    if (waiting === undefined) return undefined
    reply.header('preference-applied', `wait=${seconds}`)
    const order = await waiting
    return order !== undefined && hasOutcome(order) ? order : undefined
  }
}
