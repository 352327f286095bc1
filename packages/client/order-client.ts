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
  /** Base URL of the order service, such as https://orders.example. */
  readonly baseURL: string
  readonly apiKey?: string | undefined
  /** Timeout of one attempt. */
  readonly attemptTimeoutMs?: number
  /** Time limit of a call: all its attempts and the pauses between them. */
  readonly deadlineMs?: number
  /** False for a single attempt per call. */
  readonly retries?: boolean
  readonly fetch?: typeof fetch
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface WaitOptions extends CallOptions {
  /** Seconds to wait for the outcome, at most 30. */
  readonly waitSeconds?: number
}

export interface ChangeOptions extends WaitOptions {
  /**
   * Idempotency key of the request. By default, each call has a new one, which all of its attempts
   * share.
   */
  readonly idempotencyKey?: string
}

export interface WatchOptions extends CallOptions {
  /**
   * The status that ends the stream: `settled` (the default) ends it when the status can change
   * only by a cancellation; `final` ends it when no later change is possible, which may never
   * happen.
   */
  readonly until?: 'settled' | 'final'
}

export interface PlaceOptions extends WaitOptions {
  /**
   * Idempotency key, unique per order. By default the client generates one, so that it can retry.
   * `null` sends no key: the service then needs no database, and the client retries only if the
   * order was certainly not placed.
   */
  readonly idempotencyKey?: string | null
  /** W3C trace context to continue. */
  readonly traceparent?: string
}

export interface PlacedOrder {
  readonly orderID: string
  /** The order with its outcome, if `waitSeconds` was set and it was decided in time. */
  readonly order?: Order
  /** True if an earlier request with the same key placed the order. */
  readonly isReplay: boolean
  readonly idempotencyKey: string | null
  readonly links: OrderAccepted['links']
}

/**
 * A client of the order API, typed by its OpenAPI document. Transient errors (no response, `408`,
 * `429`, `5xx`, and `404` or `409` with `Retry-After`) are retried until the deadline, not before
 * `Retry-After`. Orders are still placed only once, because they have an idempotency key.
 *
 * Every method throws OrderApiError when the call fails, and the reason of its signal when that is
 * aborted.
 */
export interface OrderClient {
  placeOrder(order: PlaceOrder, options?: PlaceOptions): Promise<PlacedOrder>
  /**
   * Places up to 500 orders. Orders without a key get one, and transient results are retried.
   * @returns one result per order, in order
   */
  placeOrders(orders: readonly BatchOrder[], options?: CallOptions): Promise<BatchResult[]>
  getOrder(orderID: string, options?: CallOptions): Promise<Order>
  /**
   * Requests a cancellation, which releases the reserved stock.
   * @returns the cancelled order if it took effect within `waitSeconds`, otherwise the accepted
   * request
   */
  cancelOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /**
   * Requests a confirmation, which makes the reservation of a hold permanent.
   * @returns the confirmed order if it took effect within `waitSeconds`, otherwise the accepted
   * request
   */
  confirmOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /** Iterates over all orders of a user, newest first. Pages are requested as needed. */
  listOrders(userID: string, options?: CallOptions & { readonly pageSize?: number }): AsyncGenerator<Order, void>
  /**
   * Iterates over the status changes of an order. After a broken connection it resumes after the
   * last change seen.
   */
  watchOrder(orderID: string, options?: WatchOptions): AsyncGenerator<StatusNotice, void>
  /**
   * Sends one request and resolves with any response.
   * @throws the error of fetch when there is none
   */
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

  /**
   * Sends a change request. It is repeatable, because its idempotency key makes it take effect
   * once.
   */
  async function change(orderID: string, changeRequest: string, options: ChangeOptions) {
    const { waitSeconds, signal, idempotencyKey = randomUUID() } = options
    const { body } = await exchange.untilAnswered({
      method: 'POST',
      path: `/orders/${encodeURIComponent(orderID)}/${changeRequest}`,
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
          // A broken connection is retried, invalid JSON is not.
          if (error instanceof SyntaxError) throw new OrderApiError({ status: 200, attempts: 1, cause: error })
        }
        if (lastID === seenBefore) await delay(comeAgainMs, undefined, signal === undefined ? {} : { signal })
      }
    },

    rawRequest: exchange.once
  }
}

/**
 * Returns true if the result of an order in a batch is transient. A 409 is transient if an earlier
 * attempt of the batch may still claim the key, and permanent for the second of two orders with the
 * same key.
 */
function mayPass(result: BatchResult | undefined, isFirstOfKey: boolean): boolean {
  return (result?.status ?? 0) >= 500 || (result?.status === 409 && isFirstOfKey)
}

/**
 * Formats a key as a string of structured fields (RFC 9651), which may contain any printable ASCII
 * character.
 */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`
}
