import { retry } from '@orderly/retry'
import type { Cluster } from '../cluster/cluster.ts'
import { listOffsets, type OffsetSpec, offsetAt } from '../cluster/list-offsets.ts'
import { KafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import type { FetchedRecord } from './fetched-record.ts'
import { Fetcher } from './fetcher.ts'
import { LogChangedError } from './log-changed.ts'
import type { PartitionPosition } from './partition-state.ts'
import { readToEnds } from './read-to-ends.ts'

const maxAttempts = 3

/**
 * Follows a topic: each call reads the records added since the previous one, and nothing is fetched
 * in between.
 *
 * A position belongs to one topic id and one history of leader epochs. If the topic was recreated,
 * has lost its tail, or unread records were removed from it, everything is read again.
 */
export class TopicFollower {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #logger: Logger
  #positions: readonly PartitionPosition[] | undefined

  constructor(cluster: Cluster, topic: string, logger: Logger) {
    this.#cluster = cluster
    this.#topic = topic
    this.#logger = logger
  }

  /** Reads up to this end. Calls must not overlap. @throws KafkaError, or the signal's reason */
  readOn(end: OffsetSpec, options: FollowOptions): Promise<void> {
    // After a gap the next attempt starts at the beginning of the current log.
    return retry(() => this.#read(end, options), { isTransient: isGap, attempts: maxAttempts, initialMs: 0 })
  }

  async #read(end: OffsetSpec, { onRestart, onRecord, signal }: FollowOptions): Promise<void> {
    const topic = this.#topic
    const partitions = (await this.#cluster.partitions(topic)).map(({ topicID }, partition) => ({
      ...{ topic, partition, topicID }
    }))
    const ends = await listOffsets(this.#cluster, partitions, end)
    const endOf = new Map(ends.map(({ partition, offset }) => [partition, offset]))
    const isContinued = ({ partition, offset, topicID }: PartitionPosition) =>
      offset <= (endOf.get(partition) ?? -1n) &&
      (topicID ?? partitions[partition]?.topicID) === partitions[partition]?.topicID
    if (this.#positions?.every(isContinued) !== true) {
      this.#positions = []
      onRestart()
    }
    const known = this.#positions
    const added = partitions.filter(own => !known.some(({ partition }) => partition === own.partition))
    const positions = [...known, ...(await listOffsets(this.#cluster, added, offsetAt.beginning))]
    const isBehind = ({ partition, offset }: PartitionPosition) => offset < (endOf.get(partition) ?? 0n)
    const behind = positions.filter(isBehind)
    this.#positions = positions
    if (behind.length === 0) return
    const fetcher = new Fetcher(this.#cluster, { maxBufferedRecords: 10_000, logger: this.#logger })
    const onRecords = (records: readonly FetchedRecord[]) => records.forEach(onRecord)
    let hasGap = false
    try {
      fetcher.assign(behind)
      await readToEnds(fetcher, ends, { onRecords, signal })
    } catch (error) {
      hasGap = isGap(error)
      throw error
    } finally {
      const rest = positions.filter(position => !isBehind(position))
      this.#positions = hasGap ? undefined : [...rest, ...fetcher.progress()]
      fetcher.stop()
    }
  }
}

export interface FollowOptions {
  /** Called when the topic is read again from its beginning; everything read before is void. */
  readonly onRestart: () => void
  /** Called for each record, in offset order within each partition. */
  readonly onRecord: (record: FetchedRecord) => void
  readonly signal: AbortSignal
}

function isGap(error: unknown): boolean {
  return error instanceof LogChangedError || (error instanceof KafkaError && error.code === 'OFFSETS_SKIPPED')
}
