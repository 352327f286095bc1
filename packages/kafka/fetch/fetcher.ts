import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { KafkaError } from '../errors.ts'
import { partitionKey } from '../types.ts'
import { type FetcherOptions, FetchRounds } from './fetch-rounds.ts'
import type { FetchedRecord } from './fetched-record.ts'
import {
  createPartitionState,
  lagOf,
  nextToTake,
  type PartitionPosition,
  type PartitionProgress,
  type PartitionState,
  passEnd,
  type SkippedRange,
  type Taken,
  takeFrom
} from './partition-state.ts'

/**
 * Prefetches committed records of a changing set of partitions. It runs **rounds** for each leading
 * broker: a round is one long poll over all of the broker's partitions that have room in their
 * buffers. The response fills the buffers and wakes waiting callers, and the next round starts.
 * `assign` replaces the partitions and their positions. Assignments are numbered, and responses to
 * requests of an earlier assignment are dropped.
 *
 * A failure of one partition does not affect the others. A partition without a leader or without
 * access is **held** and retried after a pause, while the others are read. One that cannot be read
 * for a second is reported. Reading fails only when all partitions fail permanently.
 *
 * Memory is bounded by bytes as well as by records. Half of `maxBufferedBytes` is for buffered
 * batches, in equal shares of the partitions; the other half is for responses in flight. Batches
 * stay compressed until their records are taken. While decompressed batches hold as much memory
 * again, no further batch is opened.
 *
 * Every batch is verified against its checksum on arrival. A damaged one is fetched again several
 * times, because another replica may lead by then, or the damage may have occurred in transit. If
 * it remains damaged, it is returned to the caller as one unreadable record.
 *
 * Each fetch names the topic by its id (KIP-516) and the leader epoch of the last batch that was
 * read (KIP-320). A log that does not continue the records already read answers with a divergence,
 * and a recreated topic has another id. In both cases `take` throws LogChangedError.
 */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #partitions = new Map<string, PartitionState>()
  readonly #rounds: FetchRounds
  #isNotingEnds = false
  #wake: (() => void) | undefined
  #nextPartition = 0

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster
    this.#rounds = new FetchRounds(cluster, options, this.#partitions, () => this.wake())
  }

  /** Reads only these partitions, from these positions, and drops everything buffered. */
  assign(positions: readonly PartitionPosition[]): void {
    this.#rounds.startAssignment()
    this.#partitions.clear()
    this.add(positions)
  }

  /** Reads these partitions in addition. */
  add(positions: readonly PartitionPosition[]): void {
    for (const own of positions) this.#partitions.set(partitionKey(own), createPartitionState(own))
    this.#rounds.run()
  }

  /** Stops reading and drops everything buffered. */
  stop(): void {
    this.assign([])
    this.wake()
  }

  /** True while nothing is fetched and nothing buffered is taken. */
  get isPaused(): boolean {
    return this.#rounds.isPaused
  }

  /** Sends no more fetches and keeps what is buffered. `take` returns nothing until `resume`. */
  pause(): void {
    this.#rounds.pause()
    this.wake()
  }

  resume(): void {
    this.#rounds.resume()
    this.wake()
  }

  /** Ends a wait in `take`. */
  wake(): void {
    this.#wake?.()
  }

  /**
   * Takes up to `maxRecords` records, in offset order within each partition and taking turns
   * between partitions. Stops once they have `maxBytes`. Waits until there are records or `wake` is
   * called; then it may return none.
   *
   * @throws KafkaError after a permanent error (authorization); LogChangedError until positions are
   * assigned again
   */
  async take(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): Promise<FetchedRecord[]> {
    if (this.#rounds.failure === undefined && !this.hasRecords()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#rounds.failure !== undefined) throw this.#rounds.failure
    return this.takeBuffered(maxRecords, maxBytes)
  }

  /**
   * Returns the next fetch position of each partition; earlier records are buffered or were taken.
   */
  positions(): PartitionPosition[] {
    return [...this.#partitions.values()].map(({ topic, partition, topicID, fetchOffset }) => ({
      topic,
      partition,
      topicID,
      offset: fetchOffset
    }))
  }

  /** Returns the progress of each partition; `offset` is the next one to take. */
  progress(): PartitionProgress[] {
    return [...this.#partitions.values()].map(state => {
      passEnd(state)
      const { topic, partition, topicID, completeUntilMs } = state
      return {
        ...{ topic, partition, topicID, ...nextToTake(state) },
        ...(completeUntilMs !== undefined && { completeUntilMs })
      }
    })
  }

  /** Returns how many offsets each partition has left to take, as far as known. */
  lags(): { readonly topic: string; readonly partition: number; readonly lag: number | undefined }[] {
    return [...this.#partitions.values()].map(state => {
      return { topic: state.topic, partition: state.partition, lag: lagOf(state) }
    })
  }

  /**
   * Queries the ends of the logs in the background; `progress` computes `completeUntilMs` from
   * them.
   *
   * The high watermark is not sufficient: while a follower stalls, it is before records that the
   * leader has written. The fetcher therefore queries the leader for the end of its log, after
   * refreshing partitions and leaders. Everything written before that refresh precedes those ends.
   */
  noteEnds(): void {
    if (this.#isNotingEnds) return
    this.#isNotingEnds = true
    this.#noteEnds(this.#rounds.assignment)
      .catch(() => {}) // the next call retries
      .finally(() => {
        this.#isNotingEnds = false
      })
  }

  async #noteEnds(assignment: number): Promise<void> {
    await this.#cluster.refresh()
    const open = [...this.#partitions.values()].filter(({ end }) => end === undefined)
    const asOfMs = new Map(open.map(({ topic }) => [topic, this.#cluster.asOfMs(topic)]))
    const { found } = await findOffsets(this.#cluster, open, offsetAt.logEnd)
    if (assignment !== this.#rounds.assignment) return
    for (const { topic, partition, offset } of found) {
      const state = this.#partitions.get(partitionKey({ topic, partition }))
      const atMs = asOfMs.get(topic)
      if (state !== undefined && atMs !== undefined) state.end ??= { offset, atMs }
    }
  }

  /**
   * Returns the offsets of records that were removed before they were read, once all preceding
   * records were taken.
   */
  takeSkips(): SkippedRange[] {
    return [...this.#partitions.values()].flatMap(state => {
      const passed = state.skips.filter(({ to }) => nextToTake(state).offset >= to)
      state.skips = state.skips.filter(skip => !passed.includes(skip))
      return passed
    })
  }

  /** Returns true while records that were removed before they were read are not reported yet. */
  hasSkips(): boolean {
    return [...this.#partitions.values()].some(({ skips }) => skips.length > 0)
  }

  /** Returns the error of one of these partitions, if it is permanent or has lasted for `forMs`. */
  trouble(partitions: readonly PartitionPosition[], forMs: number): KafkaError | undefined {
    for (const own of partitions) {
      const error = this.#rounds.troubles.lasting(own, forMs)
      if (error !== undefined) return error
    }
    return undefined
  }

  /** Size of the buffered batches in bytes. */
  get bufferedBytes(): number {
    return this.#rounds.bufferedBytes
  }

  hasRecords(): boolean {
    if (this.isPaused) return false
    for (const state of this.#partitions.values()) if (state.waiting > 0) return true
    return false
  }

  /** Takes records like `take`, but only buffered ones, without waiting. */
  takeBuffered(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): FetchedRecord[] {
    if (this.isPaused) return []
    const states = [...this.#partitions.values()]
    const share = Math.max(1, Math.ceil(maxRecords / Math.max(1, states.filter(state => state.waiting > 0).length)))
    const openBytes = states.reduce((sum, { batches, nextBatch }) => sum + (batches[nextBatch]?.openBytes ?? 0), 0)
    const taken: Taken = { records: [], maxBytes, bytes: 0, maxOpenBytes: this.#rounds.maxBufferedBytes / 2, openBytes }
    for (let turn = 0; turn < states.length && taken.records.length < maxRecords; turn++) {
      const state = states[(this.#nextPartition + turn) % states.length] as PartitionState
      takeFrom(state, Math.min(share, maxRecords - taken.records.length), taken)
    }
    this.#nextPartition++
    this.#rounds.run()
    return taken.records
  }
}

/** Returns the first available offset of each partition. */
export function beginningOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<readonly PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.beginning)
}

/**
 * Returns the high watermark of each partition: the offset after its last record, including records
 * of open transactions.
 */
export function endOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<readonly PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.end)
}
