import type { KafkaConnection } from '../connection.ts'
import type { FetchPace } from '../fetch/fetch-rounds.ts'
import type { PartitionProgress } from '../fetch/partition-state.ts'
import type { ReadLimits } from '../fetch/read-limits.ts'
import type { Compression } from '../producer/compression.ts'
import type { Logger, OutputRecord, StageRecord, Topic } from '../records.ts'
import type { PositionAdvance, PositionStore } from './position-store.ts'
import type { StageHealth } from './stage-health.ts'
import type { StartAt } from './start-at.ts'

/**
 * A stage: reads its input topics in a group, passes each batch to `process`, and commits the
 * outputs with the input offsets.
 *
 * - **exactly-once**: outputs and offsets in one Kafka transaction; a `read_committed` consumer
 *   reads the outputs of each batch once.
 * - **at-least-once**: outputs first, offsets after; for stages whose effects are outside Kafka
 *   anyway.
 */
export interface Stage<Event> {
  /** Name of the stage in logs, metrics and dead letters. */
  readonly name: string
  readonly group: string
  readonly inputs: readonly Topic<Event>[]
  /**
   * Maximum number of records in a call of `process`; unset means a whole batch, which is best if
   * each call queries a database. Without a database 1,000 is better: the outputs of a call are
   * encoded before more records are decoded, and objects released that early cost the garbage
   * collector nothing.
   */
  readonly recordsInACall?: number
  /**
   * Processes a batch, with the records of each partition in offset order. After any later failure
   * it is called again with the same records, and must return the same outputs.
   *
   * Errors decide what happens next. `isTransient` errors retry the whole batch later. Any other
   * error splits the batch until the failing record is alone; that record becomes a dead letter in
   * `<topic>.dlq`.
   */
  process(records: readonly StageRecord<Event>[], context: ProcessContext): Promise<readonly OutputRecord[]>
  /** Periodic output that depends on time, not on records. */
  readonly tick?: StageTick
}

/**
 * Context of a call of `process`. `signal` is aborted when its result is no longer needed, for example
 * because the stage stops.
 */
export interface ProcessContext {
  readonly signal: AbortSignal
  /**
   * Positions to save in the transaction of the effects; empty without a PositionStore. The
   * transaction must fail with PositionConflictError if one of them cannot be saved
   * (`checkAdvanced`).
   */
  readonly positions: readonly PositionAdvance[]
}

/**
 * A tick: runs between batches while this instance has partitions and every batch it took is
 * committed.
 *
 * Outputs of a tick are committed together with the offsets of this instance's partitions. An
 * instance that has lost its partitions therefore writes nothing, even before it learns of the
 * loss. A new owner of a partition waits for the former owner's in-flight transaction. So if only
 * the owner of one particular partition writes, the writes of successive owners do not overlap.
 *
 * A failed run is logged; the next run must make up for it.
 */
export interface StageTick {
  readonly everyMs: number
  /** Requests `completeUntilMs` for `run`: brokers are queried before each run. */
  readonly tracksCompleteness?: boolean
  /** Returns the outputs of this run; none is allowed. */
  run(context: TickContext): Promise<readonly OutputRecord[]>
  /**
   * Reports that the outputs of the last run are committed. Not called if the outcome of the commit
   * is unknown; the next run then follows without it.
   */
  committed?(): Promise<void>
}

/**
 * Context of a run of a tick. `signal` is aborted when its result is no longer needed, for example
 * because the stage stops.
 */
export interface TickContext {
  readonly signal: AbortSignal
  /**
   * Partitions of this instance. All records before `offset`, and all written before
   * `completeUntilMs`, have been processed.
   */
  readonly partitions: readonly PartitionProgress[]
  /** Partition count of each input topic, read at or after `completeUntilMs`. */
  readonly partitionCounts: ReadonlyMap<string, number>
}

/** Options of `runStage`. */
export interface StageOptions {
  /** Addresses of the cluster, and credentials. */
  readonly connection: KafkaConnection
  /** Delivery of the outputs; default `exactly-once`. */
  readonly delivery?: 'exactly-once' | 'at-least-once'
  /**
   * Transactional id, unique for each instance slot and stable across restarts. Required for
   * exactly-once.
   */
  readonly transactionalID?: string
  /**
   * `group.instance.id` (KIP-345): a restarted instance immediately gets its former partitions, and
   * its zombie is fenced.
   */
  readonly instanceID?: string
  /**
   * Starting point of a group without offsets in a topic; default `earliest`. `latest` skips the records
   * that exist, `none` makes the stage end with `NO_COMMITTED_OFFSET`. Partitions that are added
   * later, and recreated topics, are read from their beginning in any case.
   */
  readonly startAt?: StartAt
  /** Compression of the outputs; default `none`. Dead letters are always compressed. */
  readonly compression?: Compression
  /** Stops the stage when it aborts, like `stop()` without force. */
  readonly signal?: AbortSignal
  /** Maximum number of records in a batch; default 2,000. */
  readonly maxBatchRecords?: number
  /**
   * Store of positions next to the effects; lets the stage detect data that the database or Kafka
   * has lost. Without it the stage trusts the committed offsets: a group without offsets starts at
   * the beginning and writes its outputs again, and a restored database is not detected.
   */
  readonly positions?: PositionStore
  /**
   * Maximum bytes of the records in a batch, exceeded only by a single larger record; default 16
   * MiB.
   */
  readonly maxBatchBytes?: number
  /**
   * Maximum bytes of fetched batches in memory, exceeded by at most one batch of each partition;
   * default 32 MiB.
   */
  readonly maxBufferedBytes?: number
  /**
   * Limits above which records and batches become dead letters unread; defaults 8 MiB and 32 MiB
   * decompressed. Producers of the input topics should stay below them.
   */
  readonly limits?: Partial<ReadLimits>
  /** Delay policy between fetches; by default the stage fetches immediately. */
  readonly fetchPace?: FetchPace
  /**
   * Time without a heartbeat after which the group reassigns this instance's partitions; at least 6
   * s, unless the broker allows less.
   */
  readonly sessionTimeoutMs?: number
  /** Returns true for errors of `process` that a retry can resolve. */
  readonly isTransient: (error: unknown) => boolean
  /** Logger of the stage, such as `console` or pino. */
  readonly logger: Logger
  /** Callbacks for metrics; by default there are none. */
  readonly observer?: StageObserver
}

/** Options of `stop`. */
export interface StopOptions {
  /**
   * True to stop without waiting for `process`, for programs that must end now. Takes about a second
   * at most, and may follow a `stop()` that takes too long.
   */
  readonly force?: boolean
}

/** A stage that `runStage` has started. */
export interface RunningStage {
  /**
   * Stops the stage. Resolves when it has stopped, whether it failed or not.
   *
   * Without force, it finishes and commits the batch in flight, then leaves the group. `process`
   * may end that early by observing the signal in its context, and rejecting.
   *
   * With force, only a commit that is in flight may end, and a failed one is aborted. Nothing of
   * the batch in `process` is committed, and the next owner of the partitions processes it again,
   * as after a crash. What may remain for a while: `process` itself, until it returns; a transaction
   * that could not be aborted, until its id is used again or for 10 s; the membership, if the group
   * could not be reached, for `sessionTimeoutMs`.
   */
  stop(options?: StopOptions): Promise<void>
  /**
   * Promise that resolves after `stop`, and rejects with the reason when the stage cannot continue
   * (`FENCED`, …).
   */
  readonly finished: Promise<void>
  /**
   * Pauses the stage: it fetches and processes nothing, and runs no tick. It stays in its group and
   * keeps its partitions, so the group does not rebalance. Resolves when no batch is in flight. A pause
   * lasts until `resume`, also across rebalances and failures.
   */
  pause(): Promise<void>
  /** Continues a paused stage. */
  resume(): void
  /** Returns true while the stage is a member of its group. */
  isReady(): boolean
  /** Returns the state of the stage for health checks and diagnosis; cheap enough for every probe. */
  health(): StageHealth
}

/** Callbacks for metrics. Every method is optional. */
export interface StageObserver {
  /** Reports that `process` has processed a batch, or a part of one. */
  processed?(event: { readonly records: number; readonly durationMs: number }): void
  /** Reports that the outputs and offsets of a batch are committed. */
  committed?(event: {
    readonly records: number
    readonly outputs: number
    readonly durationMs: number
    /** Timestamp of each record. */
    readonly timestampsMs: Float64Array
  }): void
  /** Reports that a tick wrote outputs. */
  ticked?(event: { readonly outputs: number; readonly durationMs: number }): void
  /** Reports that a batch was aborted and will be read again. */
  aborted?(event: { readonly reason: string }): void
  /** Reports that `process` failed with a transient error. */
  retried?(event: { readonly error: unknown }): void
  /** Reports that a record became a dead letter. */
  deadLettered?(event: { readonly topic: string; readonly reason: string }): void
  /** Reports the number of partitions that this instance has after a rebalance. */
  assigned?(event: { readonly partitions: number }): void
  /**
   * Reports that an input log has lost its records from `to` up to `from`; reading resumes at `to`.
   */
  truncated?(event: {
    readonly stage: string
    readonly topic: string
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
  }): void
  /**
   * Reports that records from `from` to before `to` were removed from an input log before they were
   * read.
   */
  skipped?(event: {
    readonly stage: string
    readonly topic: string
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
  }): void
  /** Reports that an input topic was deleted and recreated; it is read from its beginning. */
  recreated?(event: { readonly stage: string; readonly topic: string }): void
  /**
   * Reports that partitions were added to an input topic since this instance last joined its group.
   */
  partitionsAdded?(event: {
    readonly stage: string
    readonly topic: string
    readonly from: number
    readonly to: number
  }): void
  /** Reports a change in the number of assigned partitions of a topic that cannot be read. */
  unavailable?(event: { readonly stage: string; readonly topic: string; readonly partitions: number }): void
}
