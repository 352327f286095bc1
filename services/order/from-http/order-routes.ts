import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { idempotencyKeyOf } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { hasOutcome, type Order } from '../domain/order-status.ts'
import type { LimitedWatch } from '../store/order-watch.ts'
import { assertPlaced } from './keyed-answers.ts'
import { linksTo, toResource } from './order-schema.ts'
import type { Place } from './place.ts'
import { waitSeconds } from './prefer.ts'
import { createRequestSignals } from './request-signals.ts'
import { maxOrderBytes, placeOrder, sharedSchemas } from './schema.ts'

export interface OrderRoutesOptions {
  readonly place: Place
  /** Returns undefined while the database is not open, so that no request can wait. */
  readonly watch: () => LimitedWatch | undefined
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
    assertPlaced(placement, reply)
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
    const orders = seconds === undefined ? undefined : watch()
    if (seconds === undefined || orders === undefined) return undefined
    const options = { timeoutMs: seconds * 1_000, signal: signalOf(reply), caller: reply.request.caller?.name }
    const waiting = orders.until(orderID, hasOutcome, options)
    if (waiting === undefined) return undefined
    reply.header('preference-applied', `wait=${seconds}`)
    const order = await waiting
    return order !== undefined && hasOutcome(order) ? order : undefined
  }
}
