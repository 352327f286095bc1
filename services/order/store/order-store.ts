import type { PositionAdvance } from '@orderly/kafka'
import type { OrderChange } from '../domain/order-change.ts'
import type { Order } from '../domain/order-status.ts'

export interface PageRequest {
  readonly limit: number
  readonly beforeID?: string
  readonly caller?: string
}

export interface OrderPage {
  /** Newest first. */
  readonly orders: readonly Order[]
  /** True if older orders follow. */
  readonly hasMore: boolean
}

/**
 * The status of all orders, as far as the projection has read the topics.
 * @throws StoreUnavailableError from every method while the database is unavailable
 */
export interface OrderStore {
  /**
   * Adds the facts that are not known yet, all or none. Repeated and reordered changes have the
   * same result. Saves the positions in the same transaction.
   * @throws PositionConflictError, and adds nothing, if a position cannot be saved
   */
  apply(changes: readonly OrderChange[], positions?: readonly PositionAdvance[]): Promise<void>
  /** Returns the orders with these ids whose acceptance is known, by id. */
  find(orderIDs: readonly string[]): Promise<ReadonlyMap<string, Order>>
  /**
   * Returns a user's newest orders, or those before `beforeID`. With `caller`, only the orders of
   * that caller.
   */
  list(userID: string, page: PageRequest): Promise<OrderPage>
}
