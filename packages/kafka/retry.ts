import { type RetryPolicy, retry } from '@orderly/retry'
import { type KafkaError, toKafkaError } from './errors.ts'

export interface KafkaRetryPolicy extends Omit<RetryPolicy, 'isTransient' | 'delayMs' | 'onRetry'> {
  /** Selects the errors to retry; by default those that are `retryable`. */
  readonly isTransient?: (error: KafkaError) => boolean
  readonly delayMs?: (error: KafkaError) => number | undefined
  readonly onRetry?: (error: KafkaError, attempt: number, delayMs: number) => void
}

/**
 * Retries an operation by a policy that receives KafkaErrors.
 * @param doing describes the operation in errors
 * @throws KafkaError of the last attempt
 */
export function retryKafka<Result>(
  doing: string,
  work: () => Promise<Result>,
  { isTransient = error => error.retryable, delayMs, onRetry, ...policy }: KafkaRetryPolicy
): Promise<Result> {
  const attempt = async () => {
    try {
      return await work()
    } catch (thrown) {
      throw toKafkaError(thrown, doing)
    }
  }
  return retry(attempt, {
    ...policy,
    isTransient: error => isTransient(error as KafkaError),
    ...(delayMs && { delayMs: error => delayMs(error as KafkaError) }),
    ...(onRetry && { onRetry: (error, ...rest) => onRetry(error as KafkaError, ...rest) })
  })
}
