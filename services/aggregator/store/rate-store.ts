import type { PositionAdvance } from '@orderly/kafka'
import type { CountSummary, OrderRecord } from '../domain/count-orders.ts'
import type { Window } from '../domain/window.ts'

export interface PartitionComplete {
  readonly partition: number
  /** Everything written to the partition before this has been counted. */
  readonly completeUntilMs: number
}

export interface Rates {
  /** Everything written before this has been counted; undefined while that is not known of every partition. */
  readonly completeUntilMs: number | undefined
  readonly windows: readonly Window[]
}

/** Remembers windows and which records were counted in them. Each method is atomic, also among several instances. */
export interface RateStore {
  /**
   * Counts those that have not been counted yet. A partition whose topic was created again has nothing counted. Saves the
   * positions in the same transaction. @throws PositionConflictError, and counts nothing, when one cannot be saved
   */
  count(orders: readonly OrderRecord[], positions?: readonly PositionAdvance[]): Promise<CountSummary>
  /** Takes note of facts, and of how many partitions there are: an older or repeated fact changes nothing, whoever tells it. */
  noteComplete(partitionCount: number, partitions: readonly PartitionComplete[]): Promise<void>
  /**
   * Makes final what can be, and forgets what is published and no longer kept. Nothing, while it is not known of every
   * partition how far it is complete.
   * @returns up to when all of them are
   */
  settle(): Promise<number | undefined>
  /** Windows whose newest revision has not been published, the oldest first. */
  unpublished(limit: number): Promise<readonly Window[]>
  markPublished(windows: readonly Pick<Window, 'startMs' | 'revision'>[]): Promise<void>
  /** The windows that are known and start in this range, both ends included. */
  rates(fromMs: number, toMs: number): Promise<Rates>
}
