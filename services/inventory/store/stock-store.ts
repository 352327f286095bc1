import type { DecidedOrder } from '../domain/decide-once.ts'
import type { OrderToDecide } from '../domain/order.ts'

export interface StockLevel {
  readonly sku: string
  /** Pieces that can still be reserved. */
  readonly available: number
  /** Pieces that belong to reserved orders. */
  readonly reserved: number
}

/** Remembers stock and the outcome of every order. Each method is atomic, also among several instances. */
export interface StockStore {
  /**
   * Gives each order its outcome, in sequence. An order that had one already, in an earlier call or earlier in this batch,
   * gets the same again and takes nothing.
   */
  decide(orders: readonly OrderToDecide[]): Promise<readonly DecidedOrder[]>
  /** Sets how many pieces are available, of new SKUs as well as of known ones. What is reserved stays reserved. */
  setAvailable(pieces: ReadonlyMap<string, number>): Promise<void>
  /** The same for SKUs that are not known yet; leaves all others as they are. @returns how many were added */
  addMissing(pieces: ReadonlyMap<string, number>): Promise<number>
  /** All levels, or those of the SKUs asked for that are known, sorted by SKU. */
  levels(skus?: readonly string[]): Promise<readonly StockLevel[]>
}
