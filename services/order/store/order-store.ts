import type { OrderStatus } from '@orderly/contracts'
import type { PositionAdvance } from '@orderly/kafka'
import type { OrderChange } from '../domain/order-change.ts'
import type { Order } from '../domain/order-status.ts'

/** Selects orders; an omitted field matches all. */
export interface OrderFilter {
  readonly userID?: string | undefined
  /** Caller that placed the orders. */
  readonly caller?: string | undefined
  readonly status?: OrderStatus | undefined
  /** SKU of at least one item. */
  readonly sku?: string | undefined
  /** Earliest time of the acceptance. */
  readonly fromMs?: number | undefined
  /** Time before which the orders were accepted. */
  readonly untilMs?: number | undefined
}

export interface PageRequest {
  readonly limit: number
  /** Order id before which the page begins. */
  readonly beforeID?: string | undefined
}

export interface OrderPage {
  /** Newest first. */
  readonly orders: readonly Order[]
  /** `beforeID` of the next page; undefined if no older orders match. */
  readonly nextBeforeID?: string | undefined
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
   * Returns the newest orders that match, or those before `beforeID`. The number of orders that one
   * call examines is limited. A page can therefore be short, or empty, although older orders match.
   */
  list(filter: OrderFilter, page: PageRequest): Promise<OrderPage>
}
