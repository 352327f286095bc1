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
  /** Whether older ones follow. */
  readonly hasMore: boolean
}

/**
 * The status of every order, as far as the topics have been read.
 * @throws StoreUnavailableError from every method when the database cannot answer at the moment
 */
export interface OrderStore {
  /**
   * Adds what is not known yet, all or nothing. The same changes again, or in another sequence, make no difference. Saves the
   * positions in the same transaction. @throws PositionConflictError, and adds nothing, when one cannot be saved
   */
  apply(changes: readonly OrderChange[], positions?: readonly PositionAdvance[]): Promise<void>
  /** Those that are known to have been accepted, by id. */
  find(orderIDs: readonly string[]): Promise<ReadonlyMap<string, Order>>
  /** A user's orders with ids before `beforeID`, or the newest; only those that `caller` placed, if it is given. */
  list(userID: string, page: PageRequest): Promise<OrderPage>
}
