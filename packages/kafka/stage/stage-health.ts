import type { KafkaError } from '../errors.ts'
import type { TopicPartition } from '../types.ts'

/**
 * State of a stage, for health checks.
 *
 * - **Readiness**: `isReady()`, or the states `working` and `paused`.
 * - **Liveness**: a stage repairs itself from everything but `failed`; then its process must be
 *   restarted. An unavailable broker does not require a restart. A stage that is `working` and made
 *   no progress for many times the duration of a batch has a `process` that hangs: compare
 *   `progressAtMs` with the clock.
 */
export interface StageHealth {
  readonly state: StageState
  /** Partitions of this instance. */
  readonly partitions: readonly PartitionHealth[]
  /**
   * Time (milliseconds since the epoch) at which a batch was last committed, or nothing was left to
   * process; undefined before that.
   */
  readonly progressAtMs: number | undefined
  /** Last failure of a batch, of `process` or of the stage. It may be long ago. */
  readonly lastError: StageFailure | undefined
}

/**
 * State of a stage: `opening` and `joining` until it has partitions, `starting` while it looks up
 * where to read, `working` while it reads, `paused` instead of it after `pause`, `recovering` after
 * a failed batch, `stopping`. A stage that was stopped is `stopped`, and one that cannot continue
 * is `failed`.
 */
export type StageState =
  | 'opening'
  | 'joining'
  | 'starting'
  | 'working'
  | 'paused'
  | 'recovering'
  | 'stopping'
  | 'stopped'
  | 'failed'

/** Lag of an instance in one of its partitions. */
export interface PartitionHealth extends TopicPartition {
  /**
   * Offsets that can be read and were not passed to `process`, as of the last fetch; undefined
   * before the first. Markers of transactions have offsets too, so an idle partition may show one.
   */
  readonly lag: number | undefined
}

/** Failure of a stage, with its time in milliseconds since the epoch. */
export interface StageFailure {
  /** Code of the error, or its name if it has none. */
  readonly code: string
  readonly message: string
  readonly atMs: number
}

/** Progress and last error of a stage. */
export class HealthRecord {
  #progressAtMs: number | undefined
  #lastError: StageFailure | undefined
  #end: 'stopped' | 'failed' | undefined

  progressed(): void {
    this.#progressAtMs = Date.now()
  }

  failed(error: unknown): void {
    const { code, name, message }: Partial<KafkaError> = error instanceof Error ? error : new Error(String(error))
    this.#lastError = { code: typeof code === 'string' ? code : name, message, atMs: Date.now() }
  }

  ended(end: 'stopped' | 'failed'): void {
    this.#end ??= end
  }

  /** Returns the health of a stage in this state. */
  of(state: StageState, partitions: readonly PartitionHealth[]): StageHealth {
    const facts = { progressAtMs: this.#progressAtMs, lastError: this.#lastError }
    return this.#end === undefined ? { state, partitions, ...facts } : { state: this.#end, partitions: [], ...facts }
  }
}
