import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { OrderCreated } from '@orderly/contracts'
import {
  idempotencyKeyOf,
  newID,
  ProblemError,
  refer,
  refused,
  retryAfter,
  serviceUnavailable
} from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Counter, type Registry } from 'prom-client'
import { Type } from 'typebox'
import { acceptOrder, type OrderContext, type Placement, type PlaceOrder } from '../domain/accept-order.ts'
import { hasOutcome, type Order } from '../domain/order-status.ts'
import type { OrderWatch } from '../store/order-watch.ts'
import { OrderResource, toResource } from './order-schema.ts'
import type { OrderTokens } from './order-token.ts'
import {
  idempotencyKeyHeader,
  linksTo,
  maxOrderBytes,
  OrderAccepted,
  PlaceOrder as PlaceOrderSchema,
  sharedSchemas
} from './schema.ts'
import { createRequestSignals, waitSeconds } from './waiting.ts'

export interface OrderRoutesOptions {
  readonly place: Place
  readonly watch: Pick<OrderWatch, 'until'>
  /** Version of OrderCreated to write. Fields that this version lacks are refused. */
  readonly orderCreatedVersion: number
  /** Issuer of order tokens; undefined if none are issued. */
  readonly tokens?: OrderTokens | undefined
}

export function addOrderRoutes(http: FastifyInstance, options: OrderRoutesOptions): void {
  const { place, watch, orderCreatedVersion, tokens } = options
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
    if (tokens !== undefined) reply.header('order-token', tokens.issue(orderID, request.caller?.name))
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

/**
 * Places a validated order.
 * @throws KafkaError if it cannot be published; StoreUnavailableError if its key cannot be claimed
 */
export type Place = (command: PlaceOrder, context: OrderContext) => Promise<Placement>

export interface PlaceOptions {
  readonly publishOrder: (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>
  readonly placeIdempotently: (
    command: PlaceOrder,
    context: OrderContext & { readonly key: string }
  ) => Promise<Placement>
  readonly metrics: Registry
  readonly nowMs: () => number
}

/**
 * Creates the function that places orders and counts them by what was returned. If placing throws,
 * only the metric of HTTP problems counts the request.
 */
export function createPlace({ publishOrder, placeIdempotently, metrics, nowMs }: PlaceOptions): Place {
  const placed = new Counter({
    name: 'orderly_orders_placed_total',
    help: 'Orders by result: accepted, replayed (the key already had its order), or why the key was refused.',
    labelNames: ['outcome'],
    registers: [metrics]
  })
  for (const outcome of ['accepted', 'replayed']) placed.inc({ outcome }, 0)

  return async (command, { key, traceparent, caller }) => {
    if (key === undefined) {
      const order = acceptOrder(command, { orderID: newID(), nowMs: nowMs() })
      await publishOrder(order, traceparent, caller)
      placed.inc({ outcome: 'accepted' })
      return { kind: 'placed', orderID: order.orderID, traceparent, isReplay: false }
    }
    const placement = await placeIdempotently(command, { key, traceparent, caller })
    const { kind } = placement
    placed.inc({ outcome: kind !== 'placed' ? kind : placement.isReplay ? 'replayed' : 'accepted' })
    return placement
  }
}

/** Returns the problem of an order that was not placed. */
export function refusalOf({ kind }: Exclude<Placement, { kind: 'placed' }>): ProblemError {
  if (kind === 'in-flight') {
    const detail = 'Another request with this idempotency key is in flight. Try again later.'
    return new ProblemError(409, 'IDEMPOTENCY_KEY_IN_USE', detail)
  }
  const detail = 'This idempotency key belongs to another order. Use a separate key for each order.'
  return new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
}

const traceparent = {
  type: 'string',
  description: 'W3C trace context of this order. All records about the order have its trace id.'
}

const location = { type: 'string', description: 'URL of the order.' }
const preferenceApplied = { type: 'string', description: 'The wait preference that was applied.' }
const replayed = { type: 'string', description: '`true` if an earlier request had the same idempotency key.' }
const orderToken = {
  type: 'string',
  description:
    'Token that lets a web page read this order and its status stream, in place of an API key. Missing unless the service has `ORDER_TOKEN_SECRETS`. A repeated request with the same idempotency key gets a new one.'
}
const placedHeaders = {
  traceparent,
  location,
  'order-token': orderToken,
  'preference-applied': preferenceApplied,
  'idempotent-replayed': replayed
}

const placeOrder = {
  operationId: 'placeOrder',
  summary: 'Place an order',
  description:
    'Accepts an order. Its outcome is decided later, sent to the customer, and available at `Location`. For at least 24 hours, a repeated request with the same `Idempotency-Key` and an equivalent body returns the same order. Without a key each request places a new order.',
  tags: ['orders'],
  headers: Type.Object({
    traceparent: Type.Optional(
      Type.String({
        description: 'W3C trace context to continue. A new trace starts if it is missing or invalid.'
      })
    ),
    'idempotency-key': Type.Optional(idempotencyKeyHeader),
    prefer: Type.Optional(
      Type.String({
        description:
          '`wait=5` waits up to 5 seconds for the outcome (RFC 7240); the maximum is 30. Ignored if too many requests wait.',
        examples: ['wait=5']
      })
    )
  }),
  body: refer(PlaceOrderSchema),
  response: {
    200: {
      description: 'The order was accepted and got its outcome within the requested wait.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderResource) } }
    },
    202: {
      description: 'The order is stored on all in-sync replicas and will get exactly one outcome.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderAccepted) } }
    },
    400: refused('The body is not a valid order; nothing was accepted. `errors` names every invalid field.'),
    409: refused('Another request with this idempotency key is in flight.', retryAfter),
    413: refused('The body is larger than 128 KiB; nothing was accepted.'),
    415: refused('The body is not application/json; nothing was accepted.'),
    422: refused('The idempotency key belongs to another order.'),
    500: refused('Internal error.'),
    503: serviceUnavailable(
      'The order cannot be stored at the moment. After a timeout (unlike a refusal of a busy service) it is unknown whether the order was stored: try again with the same idempotency key.'
    )
  }
}
