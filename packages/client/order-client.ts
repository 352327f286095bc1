import { checkInteger, checkText } from './arguments.ts'
import { OrderApiError } from './errors.ts'
import { createExchange, type RawAnswer, type RawRequest } from './exchange.ts'
import { delay, randomUUID, readChunks } from './platform.ts'
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

/** Settings of a client. */
export interface OrderClientOptions {
  /** Base URL of the order service, such as https://orders.example. */
  readonly baseURL: string
  /** API key, sent as `Authorization: Bearer …`. A key in a web page is public. */
  readonly apiKey?: string | undefined
  /**
   * Order token, sent in place of an API key. It lets a web page call `getOrder` and `watchOrder`
   * for its order; a server gets it from `placeOrder`.
   */
  readonly orderToken?: string | undefined
  /** Timeout of one attempt in milliseconds. The default is 10,000. `waitSeconds` is added to it. */
  readonly attemptTimeoutMs?: number
  /**
   * Time limit of a call in milliseconds: all its attempts and the pauses between them. The default
   * is 30,000.
   */
  readonly deadlineMs?: number
  /** Maximum time in milliseconds without a byte of a status stream. The default is 60,000. */
  readonly streamIdleTimeoutMs?: number
  /** False for a single attempt per call. */
  readonly retries?: boolean
  /** Replacement of the global `fetch`, such as one with a proxy. */
  readonly fetch?: typeof fetch
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call when it is aborted. The call then throws the signal's reason. */
  readonly signal?: AbortSignal
}

/** Options of calls that can wait for the outcome. */
export interface WaitOptions extends CallOptions {
  /**
   * Seconds that the service waits for the outcome (`Prefer: wait`), 0 to 30. By default it answers
   * when the request is stored.
   */
  readonly waitSeconds?: number
}

/** Options of a change request. */
export interface ChangeOptions extends WaitOptions {
  /**
   * Idempotency key of the request. By default, each call has a new one, which all of its attempts
   * share.
   */
  readonly idempotencyKey?: string
}

/** Options of a list of orders. */
export interface ListOptions extends CallOptions {
  /** Orders per request, 1 to 100. The default is 100. */
  readonly pageSize?: number
}

/** Options of a status stream. */
export interface WatchOptions extends CallOptions {
  /**
   * The status that ends the stream: `settled` (the default) ends it when the status can change
   * only by a cancellation; `final` ends it when no later change is possible, which may never
   * happen.
   */
  readonly until?: 'settled' | 'final'
}

/** Options of a new order. */
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

/** A placed order. */
export interface PlacedOrder {
  /** Id of the order, a UUID. */
  readonly orderID: string
  /** The order with its outcome, if `waitSeconds` was set and it was decided in time. */
  readonly order?: Order
  /** True if an earlier request with the same key placed the order. */
  readonly isReplay: boolean
  /** Key that was sent, also if the client generated it. */
  readonly idempotencyKey: string | null
  /**
   * Token with which a web page may read this order and its status stream until the token expires.
   * Undefined if the service issues none.
   */
  readonly orderToken?: string
  /** Paths of the order and of its status stream. */
  readonly links: OrderAccepted['links']
}

/**
 * A client of the order API, typed by its OpenAPI document. Transient errors (no response, `408`,
 * `425`, `429`, `500`, `502` to `504`, and `404` or `409` with `Retry-After`) are retried until the
 * deadline, not before `Retry-After`. Orders are still placed only once, because they have an
 * idempotency key.
 *
 * Every method throws `OrderApiError` when the call fails, the reason of its signal when that is
 * aborted, and `TypeError` or `RangeError` with the name of the argument before a request with a
 * wrong argument.
 */
export interface OrderClient {
  /**
   * Places an order.
   * @returns its id, and the order with its outcome if `waitSeconds` was set and it was decided in
   * time
   * @throws OrderApiError with the code `INVALID_REQUEST` and the wrong fields,
   * `IDEMPOTENCY_KEY_REUSED` if the key belongs to another order, or another code. If
   * `isUncertain` is true, the order may have been placed: repeat the call with the same key
   */
  placeOrder(order: PlaceOrder, options?: PlaceOptions): Promise<PlacedOrder>
  /**
   * Places 1 to 500 orders. Orders without a key get one, and transient results are retried.
   * @returns one result per order, in order; the refused ones have a `problem`
   * @throws OrderApiError if the batch itself was refused
   */
  placeOrders(orders: readonly BatchOrder[], options?: CallOptions): Promise<BatchResult[]>
  /**
   * Returns an order with its current status.
   * @throws OrderApiError with the code `ORDER_NOT_FOUND` if it does not exist for this caller
   */
  getOrder(orderID: string, options?: CallOptions): Promise<Order>
  /**
   * Requests a cancellation, which releases the reserved stock.
   * @returns the cancelled order if it took effect within `waitSeconds`, otherwise the accepted
   * request
   * @throws OrderApiError with a code such as `ORDER_FAILED` if the order cannot be cancelled
   */
  cancelOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /**
   * Requests a confirmation, which makes the reservation of a hold permanent.
   * @returns the confirmed order if it took effect within `waitSeconds`, otherwise the accepted
   * request
   * @throws OrderApiError with a code such as `ORDER_EXPIRED` or `ORDER_HAS_NO_HOLD` if the order
   * cannot be confirmed
   */
  confirmOrder(orderID: string, options?: ChangeOptions): Promise<ChangeAccepted | Order>
  /** Iterates over all orders of a user, newest first. Pages are requested as needed. */
  listOrders(userID: string, options?: ListOptions): AsyncGenerator<Order, void>
  /**
   * Iterates over the status changes of an order, beginning with its current status. After a broken
   * or silent connection it resumes after the last change seen (`Last-Event-ID`). Leaving the loop
   * closes the connection.
   */
  watchOrder(orderID: string, options?: WatchOptions): AsyncGenerator<StatusNotice, void>
  /**
   * Sends one request, without retries, and resolves with any response.
   * @throws the error of fetch when there is none
   */
  rawRequest(request: RawRequest): Promise<RawAnswer>
}

const usualAttemptTimeoutMs = 10_000
const usualDeadlineMs = 30_000
/** Four heartbeats of the service. */
const usualStreamIdleTimeoutMs = 60_000
const comeAgainMs = 1_000
const mostOrders = 500
const mostWaitSeconds = 30
const mostPerPage = 100
/** Maximum delay of a timer. */
const longestMs = 2 ** 31 - 1

/**
 * Creates a client of the order API. It opens no connection before the first call and needs no
 * closing.
 * @throws TypeError or RangeError that names the option that is wrong
 */
export function createOrderClient(options: OrderClientOptions): OrderClient {
  const { deadlineMs = usualDeadlineMs, attemptTimeoutMs = usualAttemptTimeoutMs, retries = true } = options
  const { streamIdleTimeoutMs = usualStreamIdleTimeoutMs } = options
  for (const [name, value] of Object.entries({ deadlineMs, attemptTimeoutMs, streamIdleTimeoutMs }))
    checkInteger(name, value, 1, longestMs)
  const { apiKey, orderToken } = options
  if (apiKey !== undefined) checkText('apiKey', apiKey)
  if (orderToken !== undefined) checkText('orderToken', orderToken)
  if (apiKey !== undefined && orderToken !== undefined)
    throw new TypeError('`apiKey` and `orderToken` exclude each other: pass the token alone in a web page')
  const exchange = createExchange({
    ...options,
    apiKey: apiKey ?? orderToken,
    deadlineMs,
    attemptTimeoutMs,
    retries,
    fetch: options.fetch ?? fetch
  })

  function pathOf(orderID: string): string {
    checkText('orderID', orderID)
    return `/orders/${encodeURIComponent(orderID)}`
  }

  async function ask<Result>(path: string, { signal }: CallOptions): Promise<Result> {
    return JSON.parse((await exchange.untilAnswered({ method: 'GET', path, signal })).body)
  }

  /**
   * Sends a change request. It is repeatable, because its idempotency key makes it take effect
   * once.
   */
  async function change(orderID: string, changeRequest: string, options: ChangeOptions) {
    const { waitSeconds, signal, idempotencyKey = randomUUID() } = options
    checkText('idempotencyKey', idempotencyKey)
    checkInteger('waitSeconds', waitSeconds, 0, mostWaitSeconds)
    const { body } = await exchange.untilAnswered({
      method: 'POST',
      path: `${pathOf(orderID)}/${changeRequest}`,
      headers: {
        'idempotency-key': quoted(idempotencyKey),
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
      if (idempotencyKey !== null) checkText('idempotencyKey', idempotencyKey)
      checkInteger('waitSeconds', waitSeconds, 0, mostWaitSeconds)
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
      const token = answer.headers.get('order-token')
      return {
        ...{ orderID, links, isReplay, idempotencyKey },
        ...('userID' in placed && { order: placed }),
        ...(token !== null && { orderToken: token })
      }
    },

    async placeOrders(orders, { signal } = {}) {
      checkInteger('orders.length', orders.length, 1, mostOrders)
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
        await delay(pauseMs, signal)
      }
    },

    cancelOrder: (orderID, call = {}) => change(orderID, 'cancel', call),
    confirmOrder: (orderID, call = {}) => change(orderID, 'confirm', call),
    getOrder: async (orderID, call = {}) => ask(pathOf(orderID), call),

    async *listOrders(userID, { pageSize = mostPerPage, ...call } = {}) {
      checkText('userID', userID)
      checkInteger('pageSize', pageSize, 1, mostPerPage)
      const query = new URLSearchParams({ userID, limit: String(pageSize) })
      for (;;) {
        const { orders, nextCursor } = await ask<OrderPage>(`/orders?${query}`, call)
        yield* orders
        if (nextCursor === undefined) return
        query.set('cursor', nextCursor)
      }
    },

    async *watchOrder(orderID, { until, signal } = {}) {
      const path = `${pathOf(orderID)}/events${until === undefined ? '' : `?until=${until}`}`
      for (let lastID: string | undefined; ; ) {
        const headers = lastID === undefined ? {} : { 'last-event-id': lastID }
        const response = await exchange.open({ method: 'GET', path, headers, signal })
        if (response.status === 204 || response.body === null) return
        const seenBefore = lastID
        try {
          for await (const event of readEvents(readChunks(response.body, streamIdleTimeoutMs))) {
            lastID = event.id
            yield JSON.parse(event.data)
          }
        } catch (error) {
          signal?.throwIfAborted()
          // A broken connection is retried, invalid JSON is not.
          if (error instanceof SyntaxError) throw new OrderApiError({ status: 200, attempts: 1, cause: error })
        }
        if (lastID === seenBefore) await delay(comeAgainMs, signal)
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
