import type { KafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import { partitionKey, type TopicPartition } from '../types.ts'

/** Failure of a partition, from the first failed read to the next successful one. */
interface Trouble extends TopicPartition {
  readonly sinceMs: number
  error: KafkaError
  pauseMs: number
  isReported: boolean
}

export interface TroublesOptions {
  readonly logger: Logger
  /** Called when the number of unreadable partitions of a topic changes. */
  readonly onCount?: (event: { readonly topic: string; readonly partitions: number }) => void
}

const firstPauseMs = 50
const longestPauseMs = 1_000
/** Time until a failure is reported; an election takes less. */
const reportAfterMs = 1_000

/**
 * Register of the partitions that currently cannot be read. Reports a partition once, when its
 * failure lasts longer than a leader election.
 */
export class Troubles {
  readonly #options: TroublesOptions
  readonly #troubles = new Map<string, Trouble>()
  readonly #counts = new Map<string, number>()

  constructor(options: TroublesOptions) {
    this.#options = options
  }

  /** Records a failure. Returns the delay in milliseconds before the next attempt. */
  note({ topic, partition }: TopicPartition, error: KafkaError): number {
    const nowMs = performance.now()
    const key = partitionKey({ topic, partition })
    const trouble = this.#troubles.get(key) ?? {
      ...{ topic, partition, error, sinceMs: nowMs, pauseMs: firstPauseMs, isReported: false }
    }
    this.#troubles.set(key, trouble)
    trouble.error = error
    if (!trouble.isReported && (!error.retryable || nowMs - trouble.sinceMs >= reportAfterMs)) {
      trouble.isReported = true
      const fields = { event: 'partition_unavailable', topic, partition, code: error.code, error }
      this.#options.logger.warn(fields, 'partition cannot be read; retrying while the others are read')
      this.#count(topic)
    }
    const pauseMs = trouble.pauseMs * (0.5 + Math.random() / 2)
    trouble.pauseMs = Math.min(longestPauseMs, trouble.pauseMs * 2)
    return pauseMs
  }

  /** Records that a partition was read. */
  end({ topic, partition }: TopicPartition): void {
    const key = partitionKey({ topic, partition })
    const trouble = this.#troubles.get(key)
    if (trouble === undefined) return
    this.#troubles.delete(key)
    if (!trouble.isReported) return
    this.#options.logger.info({ event: 'partition_available', topic, partition }, 'partition can be read again')
    this.#count(topic)
  }

  /** Removes all partitions except these. */
  retain(partitions: readonly TopicPartition[]): void {
    const kept = new Set(partitions.map(partitionKey))
    for (const [key, { topic }] of this.#troubles) {
      if (kept.has(key)) continue
      this.#troubles.delete(key)
      this.#count(topic)
    }
  }

  isRefused(partition: TopicPartition): boolean {
    return this.#troubles.get(partitionKey(partition))?.error.retryable === false
  }

  /** Returns the error of a partition, if it is permanent or has lasted for `forMs`. */
  lasting(partition: TopicPartition, forMs: number): KafkaError | undefined {
    const trouble = this.#troubles.get(partitionKey(partition))
    if (trouble === undefined) return undefined
    const isLasting = !trouble.error.retryable || performance.now() - trouble.sinceMs >= forMs
    return isLasting ? trouble.error : undefined
  }

  #count(topic: string): void {
    const isOpen = (trouble: Trouble) => trouble.topic === topic && trouble.isReported
    const partitions = [...this.#troubles.values()].filter(isOpen).length
    if (partitions === (this.#counts.get(topic) ?? 0)) return
    this.#counts.set(topic, partitions)
    this.#options.onCount?.({ topic, partitions })
  }
}
