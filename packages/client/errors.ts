import type { Problem } from './types.ts'

/** Facts about a failed call. */
export interface FailedCall {
  /** Status of the last response; undefined if there was none. */
  readonly status?: number
  /** Problem details of the last response; undefined if it had none. */
  readonly problem?: Problem
  /** Id of the request, which the service logs. */
  readonly requestID?: string
  /** Number of requests that were sent. */
  readonly attempts: number
  /** Error of `fetch`, if no response arrived. */
  readonly cause?: unknown
}

/**
 * The error of a failed call, after all attempts. Its message names the fields that the service
 * refused; its `cause` is the error of `fetch`, if no response arrived.
 */
export class OrderApiError extends Error {
  /**
   * Code of the problem, such as `IDEMPOTENCY_KEY_REUSED`; `NO_ANSWER` without a response, and
   * `STATUS_502` for a response without a problem, for example of a proxy.
   */
  readonly code: string
  /** Status of the last response; undefined if there was none. */
  readonly status: number | undefined
  /** Problem details (RFC 9457) of the last response. `errors` has one entry per wrong field. */
  readonly problem: Problem | undefined
  /** Id of the request, for support. */
  readonly requestID: string | undefined
  /** Number of requests that were sent. */
  readonly attempts: number
  /** True if it is unknown whether the call took effect. Retrying with the same key may help. */
  readonly isUncertain: boolean

  constructor({ status, problem, requestID, attempts, cause }: FailedCall) {
    const what = describe(problem) ?? (status === undefined ? 'no answer' : `status ${status}`)
    super(attempts === 1 ? what : `${what} (after ${attempts} attempts)`, cause === undefined ? undefined : { cause })
    this.name = 'OrderApiError'
    this.code = problem?.code ?? (status === undefined ? 'NO_ANSWER' : `STATUS_${status}`)
    this.status = status
    this.problem = problem
    this.requestID = requestID
    this.attempts = attempts
    this.isUncertain = isUncertain(status, problem?.code)
  }
}

/**
 * Returns true if the outcome of a call is unknown. A 409 is a definite result (the order has
 * failed, was cancelled, …) unless another request with the same key is in flight.
 */
function isUncertain(status: number | undefined, code: string | undefined): boolean {
  return status === undefined || status >= 500 || status === 408 || code === 'IDEMPOTENCY_KEY_IN_USE'
}

const maxNamedFields = 5

/**
 * Returns the detail of a problem, or for a request with wrong fields a sentence about each of
 * them.
 */
function describe(problem: Problem | undefined): string | undefined {
  const { title, detail, errors = [] } = problem ?? {}
  if (errors.length === 0) return detail
  const named = errors.slice(0, maxNamedFields).map(({ in: place, pointer, detail: fault }) => {
    const field = decodeURI(pointer.replace(/^#\/?/, ''))
    return `${place === undefined ? '' : `${place} `}${field === '' ? 'the body' : `\`${field}\``} ${fault}`
  })
  const more = errors.length - named.length
  return `${title}: ${[...named, ...(more === 0 ? [] : [`and ${more} more`])].join('; ')}`
}
