import type { FetchPace, PartitionProgress } from '../committed-read/fetcher.ts'
import type { ReadLimits } from '../committed-read/read-limits.ts'
import type { KafkaConnection } from '../connection.ts'
import type { Logger, OutputRecord, StageRecord, Topic } from '../records.ts'
import type { PositionAdvance, PositionStore } from './position-store.ts'

/**
 * A stage: reads its input topics in a group, hands each batch to `process`, and commits what comes out together with how
 * far it has read.
 *
 * - **exactly-once**: outputs and offsets in one Kafka transaction; a `read_committed` reader sees each batch's outputs once.
 * - **at-least-once**: outputs first, offsets after; for stages whose effect lies outside of Kafka anyway.
 */
export interface Stage<Event> {
  /** Names the stage in logs, metrics and dead letters. */
  readonly name: string
  readonly group: string
  readonly inputs: readonly Topic<Event>[]
  /**
   * How many records `process` is given at most; a whole batch unless set, which is best where each call asks a database. Where it
   * asks nobody a thousand is better: what comes out of a call is encoded before the next records are taken and decoded, and
   * what is let go so soon costs the garbage collector nothing.
   */
  readonly recordsInACall?: number
  /**
   * One batch, the records of each partition in offset order. Called again with the same records after a failure anywhere
   * behind it, it must give the same outputs.
   *
   * What it throws decides what happens: `isTransient` errors: the whole batch again, later; anything else: the batch is
   * split until the record that fails stands alone, and that one is parked in `<topic>.dlq`.
   */
  process(records: readonly StageRecord<Event>[], context: ProcessContext): Promise<readonly OutputRecord[]>
  /** For what has to be written because time passes, not because a record comes. */
  readonly tick?: StageTick
}

export interface ProcessContext {
  readonly signal: AbortSignal
  /**
   * With a PositionStore: to be saved in the transaction of the effects, which must fail with PositionConflictError when one of them
   * cannot be (`checkAdvanced`). Empty without a store.
   */
  readonly positions: readonly PositionAdvance[]
}

/**
 * Runs between batches, when everything that was taken is committed, while this instance has partitions.
 *
 * What it writes is committed together with the offsets that the instance stands at. So an instance that has lost its
 * partitions writes nothing any more, even if it does not know that yet; and whoever is given a partition waits for what its
 * former owner has under way. Those who write only as owners of one particular partition therefore write one after the other.
 *
 * A run that fails is logged and made good by the next one.
 */
export interface StageTick {
  readonly everyMs: number
  /** Set when `run` needs `completeUntilMs`: brokers are asked for it before each run. */
  readonly tracksCompleteness?: boolean
  run(context: TickContext): Promise<readonly OutputRecord[]>
  /** What the last run gave is committed. Not called when nobody knows; the next run then follows without it. */
  committed?(): Promise<void>
}

export interface TickContext {
  readonly signal: AbortSignal
  /** The partitions of this instance. All records before `offset`, and all that were written before `completeUntilMs`, have been processed. */
  readonly partitions: readonly PartitionProgress[]
  /** How many partitions each input topic had at `completeUntilMs`, or has had since. */
  readonly partitionCounts: ReadonlyMap<string, number>
}

export interface StageOptions {
  readonly connection: KafkaConnection
  readonly delivery?: 'exactly-once' | 'at-least-once'
  /** One for each instance slot, the same after a restart. Needed for exactly-once. */
  readonly transactionalID?: string
  /** `group.instance.id` (KIP-345): a restarted instance takes its former place at once, its zombie is fenced. */
  readonly instanceID?: string
  readonly maxBatchRecords?: number
  /**
   * Positions beside the effects, by which the stage notices what the database or Kafka has lost. Without it the stage trusts the
   * committed offsets: a group without offsets starts at the beginning and writes its outputs again, and a database that was restored
   * is not noticed.
   */
  readonly positions?: PositionStore
  /** Bytes of the records in a batch, at most, but for one record: 16 MiB unless set. */
  readonly maxBatchBytes?: number
  /** Bytes of fetched batches in memory, at most, but for one batch of each partition: 32 MiB unless set. */
  readonly maxBufferedBytes?: number
  /** Larger records and batches become dead letters unread: 8 MiB and 32 MiB decompressed unless set. */
  readonly limits?: ReadLimits
  /** Fetches at once unless set. */
  readonly fetchPace?: FetchPace
  /** After how long without a sign of life the group gives this instance's partitions to others (6 s at least, unless the broker allows less). */
  readonly sessionTimeoutMs?: number
  /** Whether trying again may help, for what `process` throws. */
  readonly isTransient: (error: unknown) => boolean
  readonly logger: Logger
  readonly observer?: StageObserver
}

export interface RunningStage {
  /** Finishes the batch under way, commits it and leaves the group. */
  stop(): Promise<void>
  /** Resolves after `stop`; rejects with the reason when the stage cannot go on (`FENCED`, …). */
  readonly finished: Promise<void>
  /** Whether it is a member of its group at the moment. */
  isReady(): boolean
}

/** What happens in a stage, for metrics. Every method is optional. */
export interface StageObserver {
  processed?(event: { readonly records: number; readonly durationMs: number }): void
  committed?(event: {
    readonly records: number
    readonly outputs: number
    readonly durationMs: number
    /** The time of each record. */
    readonly timestampsMs: Float64Array
  }): void
  /** A tick wrote something. */
  ticked?(event: { readonly outputs: number; readonly durationMs: number }): void
  /** A batch was given up and will be read again. */
  aborted?(event: { readonly reason: string }): void
  /** `process` failed for a reason that may pass. */
  retried?(event: { readonly error: unknown }): void
  parked?(event: { readonly topic: string; readonly reason: string }): void
  assigned?(event: { readonly partitions: number }): void
  /** The log of an input has lost its records from `to` to `from`, and is read on from `to`. */
  truncated?(event: {
    readonly stage: string
    readonly topic: string
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
  }): void
  /** Records of an input were removed from its log before they were read: those from `from` to before `to`. */
  skipped?(event: {
    readonly stage: string
    readonly topic: string
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
  }): void
  /** An input topic was deleted and created again, and is read from its beginning. */
  recreated?(event: { readonly stage: string; readonly topic: string }): void
  /** Partitions were added to an input topic since this instance last joined its group. */
  partitionsAdded?(event: {
    readonly stage: string
    readonly topic: string
    readonly from: number
    readonly to: number
  }): void
  /** The number of assigned partitions of a topic that cannot be read has changed. */
  unavailable?(event: { readonly stage: string; readonly topic: string; readonly partitions: number }): void
}
