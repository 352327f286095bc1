import type { EpochEnd } from '../cluster/epoch-ends.ts'
import { KafkaError } from '../errors.ts'

export interface LogChange {
  readonly topic: string
  readonly partition: number
  /** Next offset to fetch when the change was detected. */
  readonly position: bigint
  /**
   * Offset and epoch at which the log diverges from the records read; absent if the leader did not
   * report it.
   */
  readonly divergence?: EpochEnd | undefined
}

/**
 * Error for a log that differs from the records already read: its tail was lost, or the topic was
 * deleted and recreated. A fetcher cannot decide where to resume; its owner does, and assigns
 * positions again.
 */
export class LogChangedError extends KafkaError {
  readonly change: LogChange

  constructor(code: 'LOG_TRUNCATED' | 'TOPIC_RECREATED', change: LogChange) {
    const { topic, partition, position, divergence } = change
    const where = `position ${position} of ${topic}/${partition}`
    const found = divergence === undefined ? 'is outside the log' : `diverges from the log at ${divergence.endOffset}`
    super(code, code === 'LOG_TRUNCATED' ? `${where} ${found}` : `${topic} was deleted and recreated`, {
      retryable: true
    })
    this.name = 'LogChangedError'
    this.change = change
  }
}
