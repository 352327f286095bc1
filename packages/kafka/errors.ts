import { findErrorBy, protocolErrors, protocolErrorsCodesById, type ResponseError } from '@platformatic/kafka'

/**
 * Every error that leaves this package. `code` is stable: Kafka's own name for what a broker answered
 * (`NOT_LEADER_OR_FOLLOWER`, …) or one of ours:
 *
 * - `BROKER_UNAVAILABLE`: no connection, or it broke, or no answer in time; what was asked may or may not have happened
 * - `FENCED`: another instance has taken this one's place; only leaving is right
 * - `PRODUCER_QUEUE_FULL`, `DELIVERY_TIMEOUT`, `CLOSED`: the producer
 * - `RECORD_TOO_LARGE`, `BATCH_TOO_LARGE`: more than the limits allow in memory (committed-read/read-limits.ts)
 * - `BATCH_CORRUPT`: the bytes of a batch are not those that its producer wrote
 * - `UNEXPECTED`: none of these; a mistake in a program
 * - `GROUP_CHANGED`: the partitions were given to somebody else while a batch was under way
 */
export class KafkaError extends Error {
  readonly code: string
  /** Whether the same call may succeed later without anybody changing anything. */
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

/** The transaction is to be aborted; the same one may succeed after that (KIP-1050). */
const abortable = 'TRANSACTION_ABORTABLE'

/** Kafka's own name for an error code (the table of the protocol guide). */
export function protocolErrorName(errorCode: number): string {
  return protocolErrorsCodesById[errorCode] ?? 'UNKNOWN_SERVER_ERROR'
}

/** What the broker meant by an error code. */
export function protocolError(errorCode: number, doing: string): KafkaError {
  const name = protocolErrorName(errorCode)
  const known = protocolErrors[name]
  if (fencing.has(name)) {
    return new KafkaError('FENCED', `${doing}: another instance has taken this one's place (${name})`, {
      retryable: false
    })
  }
  const retryable = known?.canRetry ?? false
  return new KafkaError(name, `${doing}: ${known?.message ?? name}`, { retryable: retryable || name === abortable })
}

/** @throws KafkaError unless the code is 0. */
export function checkCode(errorCode: number, doing: string): void {
  if (errorCode !== 0) throw protocolError(errorCode, doing)
}

/** The client's errors as ours: total, whatever was thrown. */
export function toKafkaError(error: unknown, doing: string): KafkaError {
  if (error instanceof KafkaError) return error
  const answered = findErrorBy(error as ResponseError, 'code', 'PLT_KFK_PROTOCOL') as { apiCode?: number } | null
  if (answered?.apiCode !== undefined) return protocolError(answered.apiCode, doing)
  const code = (error as { code?: string } | null)?.code
  if (hasCause(error, 'PLT_KFK_AUTHENTICATION')) {
    return new KafkaError('AUTHENTICATION_FAILED', `${doing}: the broker refused the credentials`, {
      retryable: false,
      cause: error
    })
  }
  const reason = error instanceof Error ? rootMessage(error) : String(error)
  // The client's and Node's own network errors; anything else is a mistake in a program, which trying again does not mend.
  if (typeof code === 'string' && (networkFailures.has(code) || /^E[A-Z]+$/.test(code))) {
    return new KafkaError('BROKER_UNAVAILABLE', `${doing}: ${reason}`, { retryable: true, cause: error })
  }
  return new KafkaError('UNEXPECTED', `${doing}: ${reason}`, { retryable: false, cause: error })
}

const networkFailures = new Set([
  'PLT_KFK_NETWORK',
  'PLT_KFK_TIMEOUT',
  'PLT_KFK_MULTIPLE',
  'PLT_KFK_RESPONSE',
  'PLT_KFK_UNEXPECTED_CORRELATION_ID'
])

function hasCause(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false
  if ((error as { code?: unknown }).code === code) return true
  return (
    hasCause(error.cause, code) || (error instanceof AggregateError && error.errors.some(one => hasCause(one, code)))
  )
}

function rootMessage(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return rootMessage(error.errors[0])
  return error.cause instanceof Error ? `${error.message} (${rootMessage(error.cause)})` : error.message
}
