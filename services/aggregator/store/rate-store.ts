import type { PositionAdvance } from '@orderly/kafka'
import type { CountSummary, OrderRecord } from '../domain/count-orders.ts'
import type { Window } from '../domain/window.ts'

export interface PartitionComplete {
  readonly partition: number
  /** Time before which everything written to the partition is counted. */
  readonly completeUntilMs: number
}

export interface Rates {
  /**
   * Time before which everything written is counted; undefined while unknown for some partition.
   */
  readonly completeUntilMs: number | undefined
  readonly windows: readonly Window[]
}

/** Store of windows and counted records. Each method is atomic, even with concurrent instances. */
export interface RateStore {
  /**
   * Counts the orders that are not counted yet. A partition of a recreated topic begins with
   * nothing counted. Saves the positions in the same transaction.
   * @throws PositionConflictError if a position cannot be saved; nothing is counted then
   */
  count(orders: readonly OrderRecord[], positions?: readonly PositionAdvance[]): Promise<CountSummary>
  /**
   * Stores the time until which each partition is complete, and the number of partitions. An older
   * or repeated time changes nothing.
   */
  noteComplete(partitionCount: number, partitions: readonly PartitionComplete[]): Promise<void>
  /**
   * Makes a window final once all partitions are complete past its grace period. Removes published
   * windows after their retention. Does nothing while the time until which a partition is complete
   * is unknown.
   * @returns the time until which all partitions are complete
   */
  makeFinal(): Promise<number | undefined>
  /** Returns windows with an unpublished revision, oldest first. */
  unpublished(limit: number): Promise<readonly Window[]>
  markPublished(windows: readonly Pick<Window, 'startMs' | 'revision'>[]): Promise<void>
  /** Returns the stored windows that start in this range, both ends included. */
  rates(fromMs: number, toMs: number): Promise<Rates>
}
