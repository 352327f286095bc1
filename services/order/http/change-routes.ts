import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { reservedName } from '@orderly/callers'
import { keyedRequestID, type OrderChangeRequested } from '@orderly/contracts'
import { idempotencyKeyOf, newID, ProblemError } from '@orderly/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ChangeKind, evaluateChangeRequest } from '../domain/change-request.ts'
import { hasOutcome, type Order, statusOf } from '../domain/order-status.ts'
import type { ChangeClaim, KeyStore } from '../store/key-state.ts'
import type { OrderStore } from '../store/order-store.ts'
import type { OrderWatch } from '../store/order-watch.ts'
import { ChangeAccepted, cancelOrder, confirmOrder } from './change-schema.ts'
import { createFindOrder } from './find-order.ts'
import { toResource } from './order-schema.ts'
import { linksTo } from './schema.ts'
import { createRequestSignals, waitSeconds } from './waiting.ts'

export interface ChangeRoutesOptions {
  readonly orders: Pick<OrderStore, 'find'>
  readonly watch: Pick<OrderWatch, 'until'>
  /**
   * Publishes a change request; resolves when the topic has it. `caller` is the one that placed the
   * order.
   */
  readonly publishChange: (
    change: OrderChangeRequested,
    traceparent: string,
    caller: string | undefined
  ) => Promise<void>
  readonly claimChange: KeyStore['claimChange']
  readonly nowMs: () => number
}

interface ChangeCommand {
  readonly changeRequest: ChangeKind
  readonly orderID: string
  readonly headers: { readonly prefer?: string | undefined }
}

/** Maximum time to wait for the outcome of an order if the answer depends on it. */
const outcomePatienceMs = 2_000

/**
 * Registers `POST /orders/{orderID}/cancel` and `/confirm`. From the order status the routes decide
 * which changes are already in effect or can never take effect. All others are published as change
 * requests; the inventory decides them, and the order status shows the result.
 */
export function addChangeRoutes(http: FastifyInstance, options: ChangeRoutesOptions): void {
  const { watch, publishChange, claimChange, nowMs } = options
  http.addSchema(ChangeAccepted)
  const signalOf = createRequestSignals(http)
  const find = createFindOrder({ ...options, signalOf })

  const config = { access: ['shop', 'support', 'operator'] } as const
  http.register((scope, _options, registered) => {
    takeNoBody(scope)
    const typed = scope.withTypeProvider<TypeBoxTypeProvider>()
    typed.post('/orders/:orderID/cancel', { schema: cancelOrder, config }, (request, reply) =>
      answer({ changeRequest: 'cancel', orderID: request.params.orderID, headers: request.headers }, request, reply)
    )
    typed.post('/orders/:orderID/confirm', { schema: confirmOrder, config }, (request, reply) =>
      answer({ changeRequest: 'confirm', orderID: request.params.orderID, headers: request.headers }, request, reply)
    )
    registered()
  })

  async function answer(
    { changeRequest, orderID, headers }: ChangeCommand,
    request: FastifyRequest,
    reply: FastifyReply
  ) {
    const { traceparent } = request
    const key = idempotencyKeyOf(request)
    const seconds = waitSeconds(headers.prefer)
    reply.header('traceparent', traceparent)
    const found = await find(orderID, request, reply)
    const requestID = key === undefined ? newID() : await claim({ key, orderID, change: changeRequest }, request, reply)
    const order = await decidedEnough(changeRequest, found, reply)
    if (judge(changeRequest, order) === 'fulfilled') return toResource(order)
    const change = { orderID, userID: order.userID, change: changeRequest, requestedAtMs: nowMs(), requestID }
    await publishChange(change, traceparent, order.created.caller)
    if (seconds !== undefined) {
      const options = { timeoutMs: seconds * 1_000, signal: signalOf(reply), caller: request.caller?.name }
      const isOver = (seen: Order) => evaluateChangeRequest(changeRequest, seen).kind !== 'open' && hasOutcome(seen)
      const waiting = watch.until(orderID, isOver, options)
      if (waiting !== undefined) reply.header('preference-applied', `wait=${seconds}`)
      const seen = await waiting
      if (seen !== undefined && judge(changeRequest, seen) === 'fulfilled') return toResource(seen)
    }
    reply.code(202)
    return { orderID, changeRequestID: requestID, status: statusOf(order), links: linksTo(orderID) }
  }

  /**
   * Claims the key of a request.
   * @returns the request id
   * @throws ProblemError 422 if another request has the key
   */
  async function claim(
    named: Pick<ChangeClaim, 'key' | 'orderID' | 'change'>,
    { caller, traceparent }: FastifyRequest,
    reply: FastifyReply
  ): Promise<string> {
    const keyed = { ...named, caller: caller?.name ?? reservedName }
    const claimed = await claimChange({ ...keyed, requestedAtMs: nowMs(), traceparent })
    if (claimed === 'other-request') {
      const detail = 'This idempotency key belongs to another request. Use a separate key for each.'
      throw new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
    }
    if (claimed === 'repeated') reply.header('idempotent-replayed', 'true')
    return keyedRequestID(keyed)
  }

  /**
   * Returns the order. Waits for its outcome if the answer depends on it.
   * @throws ProblemError 409 without an outcome
   */
  async function decidedEnough(changeRequest: ChangeKind, order: Order, reply: FastifyReply): Promise<Order> {
    if (evaluateChangeRequest(changeRequest, order).kind !== 'undecided') return order
    const options = { timeoutMs: outcomePatienceMs, signal: signalOf(reply), caller: reply.request.caller?.name }
    const seen = (await watch.until(order.orderID, hasOutcome, options)) ?? order
    if (evaluateChangeRequest(changeRequest, seen).kind !== 'undecided') return seen
    reply.header('retry-after', 1)
    throw new ProblemError(409, 'ORDER_PENDING', 'The order has no outcome yet. Try again in a moment.')
  }
}

/** Discards any body unparsed: many clients send a content type with every POST, but no content. */
function takeNoBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, body, done) => {
    body.resume()
    done(null)
  })
}

/** Evaluates a requested change. @throws ProblemError 409 if it can never take effect */
function judge(changeRequest: ChangeKind, order: Order) {
  const verdict = evaluateChangeRequest(changeRequest, order)
  if (verdict.kind === 'refused') throw new ProblemError(409, verdict.code, verdict.detail)
  return verdict.kind
}
