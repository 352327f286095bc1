import type { PositionAdvance } from '@orderly/kafka'
import type { Batch, DecidedBatch } from '../domain/decide-batch.ts'

export interface StockLevel {
  readonly sku: string
  /** Pieces that can still be reserved. */
  readonly available: number
  /** Pieces that belong to reserved orders. */
  readonly reserved: number
}

/** A hold that has ended, and nobody has confirmed it yet. */
export interface DueHold {
  readonly orderID: string
  readonly userID: string
  readonly caller?: string
  readonly holdUntilMs: number
}

/** Remembers stock, the outcome of every order and what became of it. Each method is atomic, also among several instances. */
export interface StockStore {
  /**
   * Decides changes in sequence, then gives each order its outcome, in sequence. An order that had one already, in an earlier
   * call or earlier in this batch, gets the same again and takes nothing; a change that was decided before is answered the same.
   *
   * Saves the positions in the same transaction. @throws PositionConflictError, and decides nothing, when one cannot be saved
   */
  decide(batch: Batch, positions?: readonly PositionAdvance[]): Promise<DecidedBatch>
  /**
   * Holds that have ended at that time, the longest due first. Each is given out again until it is settled: after `againAfterMs` or, if that
   * is longer, a tenth of the time since it ended.
   */
  takeDueHolds(atMs: number, options: { readonly limit: number; readonly againAfterMs: number }): Promise<DueHold[]>
  /** Sets how many pieces are available, of new SKUs as well as of known ones. What is reserved stays reserved. */
  setAvailable(pieces: ReadonlyMap<string, number>): Promise<void>
  /** The same for SKUs that are not known yet; leaves all others as they are. @returns how many were added */
  addMissing(pieces: ReadonlyMap<string, number>): Promise<number>
  /** All levels, or those of the SKUs asked for that are known, sorted by SKU. */
  levels(skus?: readonly string[]): Promise<readonly StockLevel[]>
}
