import { ProblemError } from '@orderly/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from '../store/order-store.ts'
import type { LimitedWatch, OrderWatch } from '../store/order-watch.ts'

/**
 * Reads the status of orders. Each method throws StoreUnavailableError while the database is
 * unavailable.
 */
export interface OrderStatusReader extends Pick<OrderStore, 'find' | 'list'> {
  /** Watch for requests that wait briefly. It limits their number. */
  readonly watch: LimitedWatch
  /** Watch for streams, which wait as long as they are open. */
  readonly watchStream: OrderWatch
}

/** Maximum time to wait for the projection of a new order before the answer is 404. */
const projectionPatienceMs = 2_000
const youngMs = 60_000
/**
 * Age up to which an unknown order may still appear after an outage of Kafka or of the projection.
 */
const outageMs = 3_600_000

export interface Asking {
  /** Name of the caller; undefined if authentication is off. */
  readonly caller: string | undefined
  /** Caller whose orders are visible; undefined if all orders are. */
  readonly owner: string | undefined
  readonly signal: AbortSignal
}

export type FindOrder = (orderID: string, asking: Asking) => Promise<Order>

/**
 * Returns a function that finds an order. The projection must read an accepted order from the topic
 * before it is known here, so the function waits for a young order. Therefore the link to an order
 * that was just accepted works. For an order of another tenant, the answer and its delay are the
 * same as for an order that does not exist.
 * @throws UnknownOrderError 404; its `mayTurnUp` is true if the order may still appear
 */
export function createFindOrder({ find, watch }: OrderStatusReader, nowMs: () => number): FindOrder {
  return async (orderID, { caller, owner, signal }) => {
    const isVisible = ({ created }: Order) => owner === undefined || created.caller === owner
    const known = (await find([orderID])).get(orderID)
    if (known !== undefined && isVisible(known)) return known
    const ageMs = Math.abs(nowMs() - timeOf(orderID))
    const options = { timeoutMs: projectionPatienceMs, signal, caller }
    const order = ageMs < youngMs ? await watch.until(orderID, isVisible, options) : undefined
    if (order === undefined || !isVisible(order)) throw new UnknownOrderError(ageMs < outageMs)
    return order
  }
}

/** Returns the caller whose orders the request may read, itself for a shop. Undefined for all. */
export function ownerOf({ caller }: FastifyRequest): string | undefined {
  return caller?.role === 'shop' ? caller.name : undefined
}

/** Wraps `find` for routes: adds `Retry-After` to a 404 if the order may still appear. */
export function tellWhenToComeAgain(
  find: FindOrder,
  signalOf: (reply: FastifyReply) => AbortSignal
): (orderID: string, request: FastifyRequest, reply: FastifyReply) => Promise<Order> {
  return async (orderID, request, reply) => {
    try {
      return await find(orderID, { caller: request.caller?.name, owner: ownerOf(request), signal: signalOf(reply) })
    } catch (error) {
      if (error instanceof UnknownOrderError && error.mayTurnUp) reply.header('retry-after', 1)
      throw error
    }
  }
}

class UnknownOrderError extends ProblemError {
  readonly mayTurnUp: boolean

  constructor(mayTurnUp: boolean) {
    super(
      404,
      'ORDER_NOT_FOUND',
      mayTurnUp ? 'The order is not known yet. Try again later.' : 'The order does not exist.'
    )
    this.mayTurnUp = mayTurnUp
  }
}

const uuidVersion7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/**
 * Returns the first 48 bits of a UUID version 7: its time (RFC 9562, section 5.7). NaN otherwise.
 */
function timeOf(orderID: string): number {
  return uuidVersion7.test(orderID) ? Number.parseInt(orderID.replace('-', '').slice(0, 12), 16) : Number.NaN
}
