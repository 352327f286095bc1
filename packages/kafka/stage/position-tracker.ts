import type { InputOffset } from '../consumer-group/offset-entry.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import type { PositionAdvance } from './position-store.ts'
import type { Start } from './starting-positions.ts'

/**
 * Stored and committed position of each partition during a session.
 *
 * `process` may receive a batch in pieces, in offset order within a partition. Each call saves the
 * position after its last record of each partition. Records that `process` does not receive (dead
 * letters, releases, records for other stages) are covered by the position that the next call
 * saves, or that the stage saves before it commits. The stored position may therefore be past a
 * record whose dead letter is not committed yet. That is safe: a stage resumes at the committed
 * offset, which is saved too.
 */
export class PositionTracker {
  readonly #partitions = new Map<string, Tracked>()

  reset(starts: readonly Start[]): void {
    this.#partitions.clear()
    for (const { topic, partition, topicID, offset, leaderEpoch, savedCommitted } of starts) {
      const known = { stored: offset, leaderEpoch, committed: offset, savedCommitted }
      this.#partitions.set(partitionKey({ topic, partition }), { topic, partition, topicID, ...known })
    }
  }

  has(partition: TopicPartition): boolean {
    return this.#partitions.has(partitionKey(partition))
  }

  /**
   * Returns the advances that belong to the effects of these records, including commits that are
   * not saved yet.
   */
  covering(records: readonly FetchedRecord[]): PositionAdvance[] {
    const last = new Map<string, FetchedRecord>()
    for (let index = 0; index < records.length; index++) {
      const record = records[index] as FetchedRecord
      const next = records[index + 1]
      if (next?.partition !== record.partition || next.topic !== record.topic) last.set(partitionKey(record), record)
    }
    const advances: PositionAdvance[] = []
    for (const [key, tracked] of this.#partitions) {
      const record = last.get(key)
      if (record !== undefined) advances.push(advance(tracked, record.nextOffset, record.leaderEpoch))
      else if (isUnsaved(tracked)) advances.push(advance(tracked, tracked.stored, tracked.leaderEpoch))
    }
    return advances
  }

  /** Returns the advances to save before these offsets are committed. */
  upTo(offsets: readonly InputOffset[]): PositionAdvance[] {
    return offsets.flatMap(own => {
      const tracked = this.#partitions.get(partitionKey(own))
      if (tracked === undefined || own.offset <= tracked.stored) return []
      return [advance(tracked, own.offset, own.leaderEpoch ?? tracked.leaderEpoch)]
    })
  }

  /** Returns only the advances with commits that are not saved yet. */
  unsavedCommits(): PositionAdvance[] {
    return this.covering([])
  }

  /** Returns the positions that are behind the committed ones. */
  uncommitted<Position extends InputOffset>(positions: readonly Position[]): Position[] {
    return positions.filter(own => own.offset > (this.#partitions.get(partitionKey(own))?.committed ?? own.offset))
  }

  saved(advances: readonly PositionAdvance[]): void {
    for (const { to, leaderEpoch, committedOffset, ...partition } of advances) {
      const tracked = this.#partitions.get(partitionKey(partition))
      if (tracked === undefined) continue
      if (to > tracked.stored) Object.assign(tracked, { stored: to, leaderEpoch })
      tracked.savedCommitted = committedOffset
    }
  }

  committed(offsets: readonly InputOffset[]): void {
    for (const own of offsets) {
      const tracked = this.#partitions.get(partitionKey(own))
      if (tracked !== undefined && own.offset > tracked.committed) tracked.committed = own.offset
    }
  }
}

interface Tracked extends TopicPartition {
  readonly topicID: string
  stored: bigint
  leaderEpoch: number
  committed: bigint
  /** Committed offset as of the last save. */
  savedCommitted: bigint | undefined
}

function advance({ topic, partition, topicID, stored, committed }: Tracked, to: bigint, leaderEpoch: number) {
  return { topic, partition, topicID, from: stored, to, leaderEpoch, committedOffset: committed }
}

function isUnsaved({ committed, savedCommitted }: Tracked): boolean {
  return savedCommitted !== undefined && committed > savedCommitted
}
