import type { Cluster } from '../cluster/cluster.ts'
import { type OffsetSpec, offsetAt } from '../cluster/list-offsets.ts'
import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { TopicFollower } from '../fetch/topic-follower.ts'
import type { Logger } from '../records.ts'

/**
 * Index of the blocked keys that are committed to dead-letter topics. Each load reads only the
 * records added since the previous one, so the duration of a rebalance does not depend on the
 * number of dead letters.
 */
export class BlockedKeyIndex {
  readonly #cluster: Cluster
  readonly #stageName: string
  readonly #logger: Logger
  readonly #entries = new Map<string, Entry>()

  constructor(cluster: Cluster, stageName: string, logger: Logger) {
    this.#cluster = cluster
    this.#stageName = stageName
    this.#logger = logger
  }

  /**
   * Returns the blocked keys of a topic, after waiting for open transactions in its dead-letter
   * topic. The wait is needed because partitions learn of the end of a transaction separately:
   * offsets past a dead letter can be committed a moment before the dead letter itself. Changes to
   * the result do not affect the index.
   *
   * @throws KafkaError, or the signal's reason
   */
  async load(topic: string, signal: AbortSignal): Promise<BlockedKeys> {
    return new BlockedKeys(this.#stageName, await this.#readOn(topic, offsetAt.end, signal))
  }

  /**
   * Reads the records that exist already, without waiting for transactions. @throws KafkaError, or
   * the signal's reason
   */
  async preload(topic: string, signal: AbortSignal): Promise<void> {
    await this.#readOn(topic, offsetAt.stableEnd, signal)
  }

  /** Reads the records added since the last load. Loads of one topic run one after another. */
  async #readOn(topic: string, end: OffsetSpec, signal: AbortSignal): Promise<BlockedKeys> {
    const entry = this.#entries.get(topic) ?? {
      follower: new TopicFollower(this.#cluster, deadLetterTopic(topic), this.#logger),
      keys: new BlockedKeys(this.#stageName),
      reading: Promise.resolve()
    }
    this.#entries.set(topic, entry)
    const reading = entry.reading.then(() => {
      signal.throwIfAborted()
      return entry.follower.readOn(end, {
        onRestart: () => {
          entry.keys = new BlockedKeys(this.#stageName)
        },
        onRecord: record => entry.keys.remember(record),
        signal
      })
    })
    entry.reading = reading.catch(() => {})
    await reading
    return entry.keys
  }
}

interface Entry {
  readonly follower: TopicFollower
  keys: BlockedKeys
  reading: Promise<void>
}
