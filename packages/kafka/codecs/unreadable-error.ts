import { KafkaError } from '../errors.ts'

/**
 * Error of a codec for a value that it cannot decode. A stage writes such a record to the
 * dead-letter topic, with the code `UNREADABLE` and the message as the reason.
 */
export class UnreadableError extends KafkaError {
  constructor(message: string, cause?: unknown) {
    super('UNREADABLE', message, { retryable: false, cause })
    this.name = 'UnreadableError'
  }
}

/** Creates the error of a codec for an event that it cannot encode. */
export function unwritable(message: string, cause?: unknown): KafkaError {
  return new KafkaError('UNWRITABLE', message, { retryable: false, cause })
}
