import type { Attempt, Delivery, Failure, RetryPolicy } from '../domain/delivery.ts'
import { type Sink, SinkError, targetGone } from './sink.ts'

/** Attempts a delivery once. Any thrown error becomes a failed attempt. */
export async function attempt(
  sink: Sink,
  { notification, traceparent, attempts, lastFailure }: Delivery,
  { maxAttempts }: Pick<RetryPolicy, 'maxAttempts'>,
  signal: AbortSignal
): Promise<Attempt> {
  // Every previous attempt ended with a crashed instance before its result was stored.
  if (attempts >= maxAttempts) return { kind: 'refused', ...(lastFailure ?? lost) }
  try {
    await sink.deliver(notification, { traceparent, signal })
    return { kind: 'sent' }
  } catch (error) {
    if (!(error instanceof SinkError)) return { kind: 'failed', ...failureOf(error) }
    const failure = failureOf(error)
    if (error.code === targetGone) return { kind: 'gone', reason: failure.reason }
    if (!error.retryable) return { kind: 'refused', ...failure }
    return { kind: 'failed', ...failure, ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }) }
  }
}

const lost: Failure = {
  code: 'INSTANCE_LOST',
  reason: 'every instance that attempted the delivery ended before it stored the result'
}

const longestReason = 500

/**
 * Returns code and reason of an error. Other systems wrote parts of it, so control characters are
 * removed (Postgres cannot store NUL) and the length is limited.
 */
function failureOf(error: unknown): Failure {
  const { code, name, message } = (error ?? {}) as { code?: unknown; name?: unknown; message?: unknown }
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
  const clean = (value: string) => value.replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
  return {
    code: clean(text(code) ?? text(name) ?? 'UNKNOWN').slice(0, 64),
    reason: clean(text(message) ?? String(error)).slice(0, longestReason)
  }
}
