import { KafkaError } from '../errors.ts'
import type { EpochEnd } from './fetch-committed.ts'

export interface LogChange {
  readonly topic: string
  readonly partition: number
  /** Next offset to fetch when the change was noticed. */
  readonly position: bigint
  /** Offset and epoch at which the log and what was read diverge; absent when the leader did not say. */
  readonly divergence?: EpochEnd | undefined
}

/**
 * The log is not the one that was read up to the position: its tail was lost, or the topic was deleted and created again. A fetcher
 * cannot know where to resume; its owner decides that and assigns positions again.
 */
export class LogChangedError extends KafkaError {
  readonly change: LogChange

  constructor(code: 'LOG_TRUNCATED' | 'TOPIC_RECREATED', change: LogChange) {
    const { topic, partition, position, divergence } = change
    const place = `position ${position} of ${topic}/${partition}`
    const found =
      divergence === undefined ? 'lies outside of the log' : `diverges from the log at ${divergence.endOffset}`
    super(code, code === 'LOG_TRUNCATED' ? `${place} ${found}` : `${topic} was deleted and created again`, {
      retryable: true
    })
    this.name = 'LogChangedError'
    this.change = change
  }
}
