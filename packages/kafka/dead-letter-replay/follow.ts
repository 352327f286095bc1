import { Cluster } from '../cluster/cluster.ts'
import { offsetAt } from '../cluster/list-offsets.ts'
import type { KafkaConnection } from '../connection.ts'
import { type KafkaError, toKafkaError } from '../errors.ts'
import { TopicFollower } from '../fetch/topic-follower.ts'
import type { Logger } from '../records.ts'
import { DeadLetterCounts, type WaitingDeadLetters } from './counts.ts'

/** Counts pending dead letters. Each call reads only the records added since the previous one. */
export interface DeadLetterFollower {
  /**
   * Counts the dead letters of these topics. A topic that cannot be read does not stop the others,
   * and one that has never existed is omitted.
   * @throws the signal's reason
   */
  count(topics: readonly string[], signal: AbortSignal): Promise<FollowedCounts>
  /** Closes its connections. */
  close(): Promise<void>
}

/** Counts of the topics that could be read, and errors of the others. */
export interface FollowedCounts {
  readonly counts: readonly WaitingDeadLetters[]
  readonly failed: readonly { readonly topic: string; readonly error: KafkaError }[]
}

const requestTimeoutMs = 5_000

/** Creates a follower, which keeps its connections and counts until it is closed. */
export function followDeadLetters(connection: KafkaConnection, logger: Logger): DeadLetterFollower {
  const cluster = new Cluster(connection, { requestTimeoutMs })
  const followed = new Map<string, Followed>()

  async function countOf(topic: string, signal: AbortSignal): Promise<WaitingDeadLetters> {
    const own = followed.get(topic) ?? {
      follower: new TopicFollower(cluster, topic, logger),
      counts: new DeadLetterCounts(topic),
      last: undefined,
      exists: false
    }
    followed.set(topic, own)
    await own.follower.readOn(offsetAt.stableEnd, {
      onRestart() {
        own.counts = new DeadLetterCounts(topic)
        own.last = undefined
      },
      onRecord(record) {
        own.counts.add(record)
        own.last = undefined
      },
      signal
    })
    own.exists = true
    own.last ??= own.counts.count()
    return own.last
  }

  return {
    async count(topics, signal) {
      for (const topic of followed.keys()) if (!topics.includes(topic)) followed.delete(topic)
      const counts: WaitingDeadLetters[] = []
      const failed: { topic: string; error: KafkaError }[] = []
      // One after another: each reader has separate buffers.
      for (const topic of topics) {
        try {
          counts.push(await countOf(topic, signal))
        } catch (thrown) {
          signal.throwIfAborted()
          const error = toKafkaError(thrown, `reading ${topic}`)
          const isMissing = error.code === 'UNKNOWN_TOPIC_OR_PARTITION' && followed.get(topic)?.exists !== true
          if (!isMissing) failed.push({ topic, error })
        }
      }
      return { counts, failed }
    },
    close: () => cluster.close()
  }
}

interface Followed {
  readonly follower: TopicFollower
  counts: DeadLetterCounts
  /** Result of the last count; undefined if records were added since. */
  last: WaitingDeadLetters | undefined
  /** True once the topic has been read successfully, so it is known to exist. */
  exists: boolean
}
