import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { OrderApiError } from './errors.ts'
import { createExchange, type RawAnswer, type RawRequest } from './exchange.ts'
import { pauseBefore } from './retry.ts'
import { readEvents } from './server-sent-events.ts'
import type {
  BatchOrder,
  BatchResult,
  ChangeAccepted,
  Order,
  OrderAccepted,
  OrderPage,
  PlaceOrder,
  StatusNotice
} from './types.ts'

export interface OrderClientOptions {
  /** Of the order service, such as https://orders.example. */
  readonly baseURL: string
  readonly apiKey?: string | undefined
  /** For one attempt. */
  readonly attemptTimeoutMs?: number
  /** For a whole call: all its attempts and the pauses between them. */
  readonly deadlineMs?: number
  /** `false`: each call is one request. */
  readonly retries?: boolean
  readonly fetch?: typeof fetch
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface WaitOptions extends CallOptions {
  /** Waits so many seconds for what becomes of it, 30 at most. */
  readonly waitSeconds?: number
}

export interface ChangeOptions extends WaitOptions {
  /** A name for the request. By default each call has a new one, which all of its attempts share. */
  readonly idempotencyKey?: string
}

export interface WatchOptions extends CallOptions {
  /**
   * When it ends: with the status that stays as it is unless somebody cancels the order (`settled`, unless said otherwise), or with the one that
   * stays whatever anybody does (`final`), which may be never.
   */
  readonly until?: 'settled' | 'final'
}

export interface PlaceOptions extends WaitOptions {
  /**
   * A name for the order that no other has. Without one it gets one of its own, so that it can be tried again. `null`: none at all, so
   * that the order needs no database, and is tried again only if it was certainly not placed.
   */
  readonly idempotencyKey?: string | null
  /** W3C trace context to go on with. */
  readonly traceparent?: string
}

export interface PlacedOrder {
  readonly orderID: string
  /** The outcome, if it was waited for and there was one in time. */
  readonly order?: Order
  /** Whether an earlier request with the key placed it. */
  readonly isReplay: boolean
  readonly idempotencyKey: string | null
  readonly links: OrderAccepted['links']
}

/**
 * The order API, typed by its OpenAPI document. What may pass (no answer, `408`, `409`, `429`, `5xx`) is tried again, not before `Retry-After`,
 * until the deadline; an order is placed once all the same, as it has an idempotency key.
 *
 * Every method throws OrderApiError when it is not answered as asked, and the reason of its signal when that is aborted.
 */
export interface OrderClient {
  placeOrder(order: PlaceOrder, options?: PlaceOptions): Promise<PlacedOrder>
  /** Up to 500 orders. Those that have no key get one; those whose result may pass are tried again. @returns a result for each, in their sequence */
  placeOrders(orders: readonly BatchOrder[], options?: CallOptions): Promise<BatchResult[]>
  getOrder(orderID: string, options?: CallOptions): Promise<Order>
  /** Gives back what is reserved. @returns the order as far as it is known by then: cancelled if it was waited for in time */
  cancelOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /** Keeps what is held, beyond the end of its hold. @returns as `cancelOrder` */
  confirmOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /** All orders of a user, the newest first, page by page as they are asked for. */
  listOrders(userID: string, options?: CallOptions & { readonly pageSize?: number }): AsyncGenerator<Order, void>
  /** The status as it changes; goes on behind the last one seen when the connection breaks. */
  watchOrder(orderID: string, options?: WatchOptions): AsyncGenerator<StatusNotice, void>
  /** One request, whatever it is, and its answer, whatever that is. @throws what fetch throws when there is none */
  rawRequest(request: RawRequest): Promise<RawAnswer>
}

const usualAttemptTimeoutMs = 10_000
const usualDeadlineMs = 30_000
const comeAgainMs = 1_000

export function createOrderClient(options: OrderClientOptions): OrderClient {
  const { deadlineMs = usualDeadlineMs, attemptTimeoutMs = usualAttemptTimeoutMs, retries = true } = options
  const exchange = createExchange({ ...options, deadlineMs, attemptTimeoutMs, retries, fetch: options.fetch ?? fetch })

  async function ask<Result>(path: string, { signal }: CallOptions): Promise<Result> {
    return JSON.parse((await exchange.untilAnswered({ method: 'GET', path, signal })).body)
  }

  /** Requests a change. It may be repeated: its effect happens once. */
  async function change(orderID: string, wish: string, options: ChangeOptions) {
    const { waitSeconds, signal, idempotencyKey = randomUUID() } = options
    const { body } = await exchange.untilAnswered({
      method: 'POST',
      path: `/orders/${encodeURIComponent(orderID)}/${wish}`,
      headers: {
        'idempotency-key': idempotencyKey,
        ...(waitSeconds !== undefined && { prefer: `wait=${waitSeconds}` })
      },
      isRepeatable: true,
      timeoutMs: attemptTimeoutMs + (waitSeconds ?? 0) * 1_000,
      signal
    })
    return JSON.parse(body)
  }

  async function placeBatch(orders: readonly BatchOrder[], signal: AbortSignal | undefined): Promise<BatchResult[]> {
    const request = { method: 'POST', path: '/orders/batch', isRepeatable: true, signal } as const
    const { body } = await exchange.untilAnswered({ ...request, body: JSON.stringify(orders) })
    return JSON.parse(body).results
  }

  return {
    async placeOrder(order, { idempotencyKey = randomUUID(), waitSeconds, traceparent, signal } = {}) {
      const answer = await exchange.untilAnswered({
        method: 'POST',
        path: '/orders',
        headers: {
          ...(idempotencyKey !== null && { 'idempotency-key': quoted(idempotencyKey) }),
          ...(waitSeconds !== undefined && { prefer: `wait=${waitSeconds}` }),
          ...(traceparent !== undefined && { traceparent })
        },
        body: JSON.stringify(order),
        isRepeatable: idempotencyKey !== null,
        timeoutMs: attemptTimeoutMs + (waitSeconds ?? 0) * 1_000,
        signal
      })
      const placed: OrderAccepted | Order = JSON.parse(answer.body)
      const isReplay = answer.headers.get('idempotent-replayed') === 'true'
      const { orderID, links } = placed
      return { orderID, links, isReplay, idempotencyKey, ...('userID' in placed && { order: placed }) }
    },

    async placeOrders(orders, { signal } = {}) {
      const named = orders.map(order => ({ ...order, idempotencyKey: order.idempotencyKey ?? randomUUID() }))
      const firsts = new Map(named.map(({ idempotencyKey }, index) => [idempotencyKey, index] as const).reverse())
      const endAtMs = performance.now() + deadlineMs
      const results: BatchResult[] = []
      let open = named.map((order, index) => ({ order, index }))
      for (let attempts = 1; ; attempts++) {
        const answers = await placeBatch(
          open.map(({ order }) => order),
          signal
        )
        for (const { index, ...result } of answers) {
          const place = open[index]?.index
          if (place !== undefined) results[place] = { ...result, index: place }
        }
        open = open.filter(({ order, index }) => mayPass(results[index], firsts.get(order.idempotencyKey) === index))
        const pauseMs = pauseBefore({ status: 503, isRepeatable: true, attempts }, Math.random()) ?? 0
        if (open.length === 0 || !retries || performance.now() + pauseMs >= endAtMs) return results
        await delay(pauseMs, undefined, signal === undefined ? {} : { signal })
      }
    },

    cancelOrder: (orderID, call = {}) => change(orderID, 'cancel', call),
    confirmOrder: (orderID, call = {}) => change(orderID, 'confirm', call),
    getOrder: (orderID, call = {}) => ask(`/orders/${encodeURIComponent(orderID)}`, call),

    async *listOrders(userID, { pageSize = 100, ...call } = {}) {
      const query = new URLSearchParams({ userID, limit: String(pageSize) })
      for (;;) {
        const { orders, nextCursor } = await ask<OrderPage>(`/orders?${query}`, call)
        yield* orders
        if (nextCursor === undefined) return
        query.set('cursor', nextCursor)
      }
    },

    async *watchOrder(orderID, { until, signal } = {}) {
      const path = `/orders/${encodeURIComponent(orderID)}/events${until === undefined ? '' : `?until=${until}`}`
      for (let lastID: string | undefined; ; ) {
        const headers = lastID === undefined ? {} : { 'last-event-id': lastID }
        const response = await exchange.open({ method: 'GET', path, headers, signal })
        if (response.status === 204 || response.body === null) return
        const seenBefore = lastID
        try {
          for await (const event of readEvents(response.body)) {
            lastID = event.id
            yield JSON.parse(event.data)
          }
        } catch (error) {
          signal?.throwIfAborted()
          // The connection broke. What is no JSON will not become so.
          if (error instanceof SyntaxError) throw new OrderApiError({ status: 200, attempts: 1, cause: error })
        }
        if (lastID === seenBefore) await delay(comeAgainMs, undefined, signal === undefined ? {} : { signal })
      }
    },

    rawRequest: exchange.once
  }
}

/** An earlier attempt at the batch may still be under way, and have the key. Of two orders with the same key the second is refused for good. */
function mayPass(result: BatchResult | undefined, isFirstOfKey: boolean): boolean {
  return (result?.status ?? 0) >= 500 || (result?.status === 409 && isFirstOfKey)
}

/** As a string of structured fields (RFC 9651), so that a key may hold any printable character. */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`
}
