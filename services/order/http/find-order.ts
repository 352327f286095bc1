import { ProblemError } from '@orderly/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from '../store/order-store.ts'
import type { OrderWatch } from '../store/order-watch.ts'

/** Maximum time to wait for the projection of a new order before the answer is 404. */
const projectionPatienceMs = 2_000
const youngMs = 60_000
/**
 * Age up to which an unknown order may still appear after an outage of Kafka or of the projection.
 */
const outageMs = 3_600_000

export interface FindOrderOptions {
  readonly orders: Pick<OrderStore, 'find'>
  readonly watch: Pick<OrderWatch, 'until'>
  readonly nowMs: () => number
  readonly signalOf: (reply: FastifyReply) => AbortSignal
}

export type FindOrder = (orderID: string, request: FastifyRequest, reply: FastifyReply) => Promise<Order>

/**
 * Returns a function that finds the order of a request. The projection must read an accepted order
 * from the topic before it is known here, so the function waits for a young order. Therefore the
 * link to an order that was just accepted works. For an order of another tenant, the answer and its
 * delay are the same as for an order that does not exist.
 * @throws ProblemError 404, with `Retry-After` if the order may still appear
 */
export function createFindOrder({ orders, watch, nowMs, signalOf }: FindOrderOptions): FindOrder {
  return async (orderID, request, reply) => {
    const owner = ownerOf(request)
    const isVisible = ({ created }: Order) => owner === undefined || created.caller === owner
    const signal = signalOf(reply)
    const known = (await orders.find([orderID])).get(orderID)
    if (known !== undefined && isVisible(known)) return known
    const ageMs = Math.abs(nowMs() - timeOf(orderID))
    const options = { timeoutMs: projectionPatienceMs, signal, caller: request.caller?.name }
    const order = ageMs < youngMs ? await watch.until(orderID, isVisible, options) : undefined
    if (order !== undefined && isVisible(order)) return order
    const mayAppear = ageMs < outageMs
    if (mayAppear) reply.header('retry-after', 1)
    const detail = mayAppear ? 'The order is not known yet. Try again later.' : 'The order does not exist.'
    throw new ProblemError(404, 'ORDER_NOT_FOUND', detail)
  }
}

/** Returns the caller whose orders the request may read, itself for a shop. Undefined for all. */
export function ownerOf({ caller }: FastifyRequest): string | undefined {
  return caller?.role === 'shop' ? caller.name : undefined
}

const uuidVersion7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/**
 * Returns the first 48 bits of a UUID version 7: its time (RFC 9562, section 5.7). NaN otherwise.
 */
function timeOf(orderID: string): number {
  return uuidVersion7.test(orderID) ? Number.parseInt(orderID.replace('-', '').slice(0, 12), 16) : Number.NaN
}
