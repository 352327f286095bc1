import { parseBaseURL } from './arguments.ts'
import { OrderApiError } from './errors.ts'
import { delay } from './platform.ts'
import { pauseBefore, readRetryAfter } from './retry.ts'
import type { Problem } from './types.ts'

/** A raw request to the API. */
export interface RawRequest {
  /** HTTP method. */
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Path with query, beginning with a slash, such as `/orders?userID=ada`. */
  readonly path: string
  /** Headers in addition to `authorization`, and to `content-type` for a body. */
  readonly headers?: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body?: string
  /** True if the request may be repeated. The default is true for GET only. */
  readonly isRepeatable?: boolean
  /** Timeout of one attempt; overrides the client's. */
  readonly timeoutMs?: number
  /** Ends the request when it is aborted. */
  readonly signal?: AbortSignal | undefined
}

/** A response to a raw request, with any status. */
export interface RawAnswer {
  /** HTTP status, also of a refusal. */
  readonly status: number
  /** Headers of the response. */
  readonly headers: Headers
  /** Whole body as text. */
  readonly body: string
}

export interface ExchangeOptions {
  readonly baseURL: string
  readonly apiKey?: string | undefined
  readonly attemptTimeoutMs: number
  /** Time limit for all attempts and the pauses between them. */
  readonly deadlineMs: number
  /** False for a single attempt. */
  readonly retries: boolean
  readonly fetch: typeof fetch
}

export interface Exchange {
  /**
   * Makes one attempt and resolves with any status.
   * @throws the error of fetch without a complete response
   */
  once(request: RawRequest): Promise<RawAnswer>
  /**
   * Retries until a response is final or the deadline has passed.
   * @throws OrderApiError unless the response is 2xx
   */
  untilAnswered(request: RawRequest): Promise<RawAnswer>
  /** Like `untilAnswered`, but returns the response of a GET before its body has arrived. */
  open(request: RawRequest): Promise<Response>
}

export function createExchange(options: ExchangeOptions): Exchange {
  const { baseURL, apiKey, attemptTimeoutMs, deadlineMs, retries, fetch } = options
  const base = parseBaseURL(baseURL)

  function start({ method, path, headers, body }: RawRequest, signal: AbortSignal): Promise<Response> {
    return fetch(`${base}${path}`, {
      method,
      headers: {
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body }),
      redirect: 'error',
      signal
    })
  }

  async function once(request: RawRequest): Promise<RawAnswer> {
    const timeout = AbortSignal.timeout(request.timeoutMs ?? attemptTimeoutMs)
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal])
    const response = await start(request, signal)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }

  /** Repeats a call until it succeeds, its error is permanent, or the deadline has passed. */
  async function repeat<Result>(
    request: RawRequest,
    call: (timeoutMs: number) => Promise<Result & { readonly status: number; readonly headers: Headers }>,
    bodyOf: (result: Result) => Promise<string>
  ): Promise<Result> {
    const { method, isRepeatable = method === 'GET', timeoutMs = attemptTimeoutMs, signal } = request
    const endAtMs = performance.now() + deadlineMs
    for (let attempts = 1; ; attempts++) {
      const leftMs = Math.max(1, endAtMs - performance.now())
      let failure: { status?: number; retryAfterSeconds?: number; error: () => Promise<OrderApiError> }
      try {
        const answer = await call(Math.ceil(Math.min(timeoutMs, leftMs)))
        if (answer.status >= 200 && answer.status < 300) return answer
        const retryAfterSeconds = readRetryAfter(answer.headers.get('retry-after'), Date.now())
        const { status, headers } = answer
        const error = async () => refusal(status, headers, await bodyOf(answer), attempts)
        failure = { status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }), error }
      } catch (cause) {
        signal?.throwIfAborted()
        failure = { error: async () => new OrderApiError({ attempts, cause }) }
      }
      const pauseMs = retries ? pauseBefore({ ...failure, isRepeatable, attempts }, Math.random()) : undefined
      if (pauseMs === undefined || performance.now() + pauseMs >= endAtMs) throw await failure.error()
      await delay(pauseMs, signal)
    }
  }

  return {
    once,
    untilAnswered: request =>
      repeat<RawAnswer>(
        request,
        timeoutMs => once({ ...request, timeoutMs }),
        async ({ body }) => body
      ),
    open: request =>
      repeat<Response>(
        request,
        timeoutMs => openOnce(request, timeoutMs),
        response => response.text().catch(() => '')
      )
  }

  /** Makes one attempt. The timeout applies to the head of the response only, not to its body. */
  async function openOnce(request: RawRequest, timeoutMs: number): Promise<Response> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs)
    try {
      const { signal } = request
      return await start(request, signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]))
    } finally {
      clearTimeout(timer)
    }
  }
}

function refusal(status: number, headers: Headers, body: string, attempts: number): OrderApiError {
  const problem = readProblem(headers, body)
  const requestID = headers.get('x-request-id')
  return new OrderApiError({
    status,
    attempts,
    ...(problem !== undefined && { problem }),
    ...(requestID !== null && { requestID })
  })
}

/** Parses a problem. Returns undefined for other bodies, such as error pages of a proxy. */
function readProblem(headers: Headers, body: string): Problem | undefined {
  if (!headers.get('content-type')?.startsWith('application/problem+json')) return undefined
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
