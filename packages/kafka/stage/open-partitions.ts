import { setTimeout as delay } from 'node:timers/promises'
import type { FailedPartition } from '../cluster/ask-leaders.ts'
import type { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { type KafkaError, toKafkaError } from '../errors.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { Troubles } from '../fetch/troubles.ts'
import type { BlockedKeyIndex } from './blocked-key-index.ts'
import type { GroupPositions } from './group-positions.ts'
import type { BatchProcessor } from './process-batch.ts'
import type { Start, Starts } from './starting-positions.ts'

export interface PartitionOpenerOptions {
  readonly blockedKeys: BlockedKeyIndex
  readonly fetcher: Fetcher
  readonly positions: GroupPositions
  readonly processor: BatchProcessor
  readonly troubles: Troubles
}

/** Opens the assigned partitions for reading, each topic as soon as its blocked keys are loaded. */
export class PartitionOpener {
  readonly #options: PartitionOpenerOptions
  #mustReopen = false
  #failure: KafkaError | undefined

  constructor(options: PartitionOpenerOptions) {
    this.#options = options
  }

  /**
   * True when a partition that could not be opened has become readable. All partitions must then be
   * opened again, once no commit is in flight.
   */
  get mustReopen(): boolean {
    return this.#mustReopen
  }

  /** Permanent error, set when no topic could be opened. */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /**
   * Starts reading each topic in the background once its blocked keys are loaded, so that an
   * unreadable topic does not delay the others. Retries partitions whose starting position could
   * not be decided; once one can be, all partitions are opened again.
   */
  open({ starts, failed }: Starts, signal: AbortSignal): void {
    this.#mustReopen = false
    this.#failure = undefined
    const blockedKeys = new Map<string, BlockedKeys>()
    this.#options.processor.reset(blockedKeys)
    this.#options.fetcher.assign([])
    const byTopic = Map.groupBy(starts, ({ topic }) => topic)
    const refused = new Set<string>()
    for (const [topic, own] of byTopic) {
      const onRefused = (error: KafkaError) => {
        refused.add(topic)
        if (refused.size < byTopic.size) return
        this.#failure = error
        this.#options.fetcher.wake()
      }
      void this.#openTopic(topic, own, { blockedKeys, onRefused, signal })
    }
    if (failed.length > 0) void this.#watchUnopened(failed, signal)
  }

  async #openTopic(
    topic: string,
    starts: readonly Start[],
    options: {
      readonly blockedKeys: Map<string, BlockedKeys>
      readonly onRefused: (error: KafkaError) => void
      readonly signal: AbortSignal
    }
  ): Promise<void> {
    const { blockedKeys, onRefused, signal } = options
    for (;;) {
      try {
        const loaded = await this.#options.blockedKeys.load(topic, signal)
        signal.throwIfAborted()
        blockedKeys.set(topic, loaded)
        this.#options.fetcher.add(starts)
        return
      } catch (thrown) {
        if (signal.aborted) return
        const error = toKafkaError(thrown, `loading the blocked keys of ${topic}`)
        if (!error.retryable) onRefused(error)
        await this.#noteFailed(
          starts.map(partition => ({ ...partition, error })),
          signal
        )
      }
    }
  }

  async #watchUnopened(failed: readonly FailedPartition[], signal: AbortSignal): Promise<void> {
    let unopened = failed
    while (!signal.aborted) {
      await this.#noteFailed(unopened, signal)
      try {
        const decided = await this.#options.positions.decide(unopened, signal)
        signal.throwIfAborted()
        unopened = decided.failed
        if (decided.starts.length === 0) continue
        // Positions and blocked keys are decided again, for all partitions together.
        this.#mustReopen = true
        this.#options.fetcher.wake()
        return
      } catch (thrown) {
        const error = toKafkaError(thrown, 'deciding the starting positions')
        unopened = unopened.map(partition => ({ ...partition, error }))
      }
    }
  }

  /** Reports partitions that cannot be opened, and waits before the next attempt. */
  async #noteFailed(failed: readonly FailedPartition[], signal: AbortSignal): Promise<void> {
    const pausesMs = failed.map(({ error, ...partition }) => this.#options.troubles.note(partition, error))
    await delay(Math.max(...pausesMs), undefined, { signal }).catch(() => {})
  }
}
