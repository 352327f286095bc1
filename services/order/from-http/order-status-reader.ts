import { ProblemError } from '@orderly/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from '../store/order-store.ts'
import type { LimitedWatch, OrderWatch } from '../store/order-watch.ts'

/** Reads the status of orders. Each method throws StoreUnavailableError when it cannot be read at the moment. */
export interface OrderStatusReader extends Pick<OrderStore, 'find' | 'list'> {
  /** For a moment: not for more than so many at a time. */
  readonly watch: LimitedWatch
  /** For as long as a stream is open. */
  readonly watchStream: OrderWatch
}

/** As long as the projection may take behind an order that was just accepted before asking for it is answered 404. */
const projectionPatienceMs = 2_000
const youngMs = 60_000
/** As long as the projection may stand still, with Kafka or by itself, before an order that is not there counts as none. */
const outageMs = 3_600_000

export interface Asking {
  /** Name of the caller, where callers have keys. */
  readonly caller: string | undefined
  /** Caller whose orders are visible. Undefined: all are. */
  readonly owner: string | undefined
  readonly signal: AbortSignal
}

export type FindOrder = (orderID: string, asking: Asking) => Promise<Order>

/**
 * An order that was accepted is read back from the topic before it is known here. So who asks for a young one waits a moment:
 * the link in the answer to `POST /orders` works at once. An order of somebody else is answered like one that does not exist, and as late.
 * @throws UnknownOrderError 404, with a time to come again when the order may yet turn up
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

/** Whose orders the caller may see: a shop its own; undefined: everybody's. */
export function ownerOf({ caller }: FastifyRequest): string | undefined {
  return caller?.role === 'shop' ? caller.name : undefined
}

/** For an answer, which says when to come again. */
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
    super(404, 'ORDER_NOT_FOUND', mayTurnUp ? 'There is no such order yet.' : 'There is no such order.')
    this.mayTurnUp = mayTurnUp
  }
}

const uuidVersion7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** When the id was made: the first 48 bits of a UUID version 7 (RFC 9562, section 5.7). NaN for other texts. */
function timeOf(orderID: string): number {
  return uuidVersion7.test(orderID) ? Number.parseInt(orderID.replace('-', '').slice(0, 12), 16) : Number.NaN
}
