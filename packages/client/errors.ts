import type { Problem } from './types.ts'

export interface FailedCall {
  /** Of the last answer; undefined when there was none. */
  readonly status?: number
  readonly problem?: Problem
  readonly requestID?: string
  readonly attempts: number
  readonly cause?: unknown
}

/** A call that was not answered as asked, after all attempts that it had. */
export class OrderApiError extends Error {
  /** That of the problem, such as `IDEMPOTENCY_KEY_REUSED`; `NO_ANSWER` when there was none. */
  readonly code: string
  readonly status: number | undefined
  readonly problem: Problem | undefined
  /** To be named when somebody is asked for help. */
  readonly requestID: string | undefined
  readonly attempts: number
  /** Whether it is open what became of it: it may have been done, and asking again (with the same key) may help. */
  readonly isUncertain: boolean

  constructor({ status, problem, requestID, attempts, cause }: FailedCall) {
    const what = problem?.detail ?? (status === undefined ? 'no answer' : `status ${status}`)
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
 * 408: the server did not wait for the end of the request. A 409 leaves nothing open (the order has failed, was cancelled, …), but for that
 * by which another request with the same key is under way.
 */
function isUncertain(status: number | undefined, code: string | undefined): boolean {
  return status === undefined || status >= 500 || status === 408 || code === 'IDEMPOTENCY_KEY_IN_USE'
}
