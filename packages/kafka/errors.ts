import { findErrorBy, protocolErrors, protocolErrorsCodesById, type ResponseError } from '@platformatic/kafka'

/**
 * An error of this package; no other errors leave it. `code` is stable: Kafka's own name of a
 * broker error (`NOT_LEADER_OR_FOLLOWER`, …) or one of these:
 *
 * - `BROKER_UNAVAILABLE`: no connection, a broken connection, or a timeout; the request may or may
 *   not have taken effect
 * - `FENCED`: another instance has replaced this one, which must stop
 * - `PRODUCER_QUEUE_FULL`, `DELIVERY_TIMEOUT`, `CLOSED`: errors of the producer
 * - `RECORD_TOO_LARGE`, `BATCH_TOO_LARGE`: above the limits of memory
 *   (fetch/read-limits.ts)
 * - `BATCH_CORRUPT`: the bytes of a batch differ from those that its producer wrote
 * - `INVALID_OPTION`: an option has an unusable value; the message names it
 * - `UNREADABLE`, `UNWRITABLE`: errors of the built-in codecs
 * - `AUTHENTICATION_FAILED`, `TOKEN_UNAVAILABLE`: the broker rejected the credentials, or the
 *   program could not provide a token
 * - `NO_COMMITTED_OFFSET`: a stage with `startAt: 'none'` has no offset to start from
 * - `UNEXPECTED`: none of these; a bug in a program
 * - `REBALANCED`: the partitions were reassigned while a batch was in flight
 */
export class KafkaError extends Error {
  readonly code: string
  /** True if the same call may succeed later without any other change. */
  readonly retryable: boolean

  constructor(code: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KafkaError'
    this.code = code
    this.retryable = options.retryable
  }
}

const fencing = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'FENCED_INSTANCE_ID',
  'TRANSACTIONAL_ID_NOT_FOUND'
])

/**
 * Error code of a transaction that must be aborted; the same transaction may succeed after that
 * (KIP-1050).
 */
const abortable = 'TRANSACTION_ABORTABLE'

/** Returns Kafka's own name of an error code (the table of the protocol guide). */
export function protocolErrorName(errorCode: number): string {
  return protocolErrorsCodesById[errorCode] ?? 'UNKNOWN_SERVER_ERROR'
}

/** Converts a broker's error code to an error. */
export function protocolError(errorCode: number, doing: string): KafkaError {
  const name = protocolErrorName(errorCode)
  const known = protocolErrors[name]
  if (fencing.has(name)) {
    return new KafkaError('FENCED', `${doing}: another instance has replaced this one (${name})`, {
      retryable: false
    })
  }
  const retryable = known?.canRetry ?? false
  return new KafkaError(name, `${doing}: ${known?.message ?? name}`, { retryable: retryable || name === abortable })
}

/** Throws the error of a code. @throws KafkaError unless the code is 0 */
export function checkCode(errorCode: number, doing: string): void {
  if (errorCode !== 0) throw protocolError(errorCode, doing)
}

/** Converts any thrown value, such as an error of the client library, to a KafkaError. */
export function toKafkaError(error: unknown, doing: string): KafkaError {
  if (error instanceof KafkaError) return error
  const login = findCause(error, cause => cause instanceof KafkaError && loginFailures.has(cause.code))
  if (login !== undefined) return login as KafkaError
  const answered = findErrorBy(error as ResponseError, 'code', 'PLT_KFK_PROTOCOL') as { apiCode?: number } | null
  if (answered?.apiCode !== undefined) return protocolError(answered.apiCode, doing)
  const code = (error as { code?: string } | null)?.code
  if (findCause(error, cause => (cause as { code?: unknown }).code === 'PLT_KFK_AUTHENTICATION') !== undefined) {
    return new KafkaError('AUTHENTICATION_FAILED', `${doing}: the broker rejected the credentials`, {
      retryable: false,
      cause: error
    })
  }
  const reason = error instanceof Error ? rootMessage(error) : String(error)
  // Network errors of the client library and of Node. Anything else is a bug in a program, which a
  // retry does not fix.
  if (typeof code === 'string' && (networkFailures.has(code) || /^E[A-Z]+$/.test(code))) {
    return new KafkaError('BROKER_UNAVAILABLE', `${doing}: ${reason}`, { retryable: true, cause: error })
  }
  return new KafkaError('UNEXPECTED', `${doing}: ${reason}`, { retryable: false, cause: error })
}

/** Errors of a login with a bearer token, which the client library reports as causes. */
const loginFailures = new Set(['AUTHENTICATION_FAILED', 'TOKEN_UNAVAILABLE'])

const networkFailures = new Set([
  'PLT_KFK_NETWORK',
  'PLT_KFK_TIMEOUT',
  'PLT_KFK_MULTIPLE',
  'PLT_KFK_RESPONSE',
  'PLT_KFK_UNEXPECTED_CORRELATION_ID'
])

/** Returns the first error that matches: the error, its causes, and those that it combines. */
function findCause(error: unknown, matches: (error: Error) => boolean): Error | undefined {
  if (!(error instanceof Error)) return undefined
  if (matches(error)) return error
  const causes = error instanceof AggregateError ? [error.cause, ...error.errors] : [error.cause]
  for (const cause of causes) {
    const found = findCause(cause, matches)
    if (found !== undefined) return found
  }
  return undefined
}

function rootMessage(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return rootMessage(error.errors[0])
  return error.cause instanceof Error ? `${error.message} (${rootMessage(error.cause)})` : error.message
}
