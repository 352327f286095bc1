import type { PositionAdvance } from '@orderly/kafka'
import type { Batch, DecidedBatch } from '../domain/decide-batch.ts'

export interface StockLevel {
  readonly sku: string
  /** Pieces that orders can reserve. */
  readonly available: number
  /** Pieces assigned to orders. */
  readonly reserved: number
}

/** A hold that has ended and is neither confirmed nor released. */
export interface DueHold {
  readonly orderID: string
  readonly userID: string
  readonly caller?: string
  readonly holdUntilMs: number
}

/**
 * Store of stock, outcomes and settlements. Each method is atomic, even with concurrent instances.
 */
export interface StockStore {
  /**
   * Decides changes in sequence, then orders in sequence. An order that was decided in an earlier
   * call or earlier in this batch gets the same outcome and reserves nothing. A change that was
   * decided earlier gets the same settlement.
   *
   * Saves the positions in the same transaction.
   * @throws PositionConflictError if a position cannot be saved; nothing is decided then
   */
  decide(batch: Batch, positions?: readonly PositionAdvance[]): Promise<DecidedBatch>
  /**
   * Claims holds that have ended at the given time, the earliest due first. A hold is due again
   * until it is confirmed or released: after `againAfterMs`, or a tenth of the time since it ended
   * if that is longer.
   */
  takeDueHolds(atMs: number, options: { readonly limit: number; readonly againAfterMs: number }): Promise<DueHold[]>
  /**
   * Adds unknown SKUs with these available pieces; existing SKUs stay unchanged.
   * @returns the number of added SKUs
   */
  addMissing(pieces: ReadonlyMap<string, number>): Promise<number>
}
